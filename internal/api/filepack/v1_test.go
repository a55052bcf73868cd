package filepack_test

import (
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/filepack"
)

// v1 is the pack of a client of 0.1: "one" and an empty file.
func v1(t *testing.T) string {
	t.Helper()
	raw := func(s string) string {
		sum, err := hex.DecodeString(digest(s))
		if err != nil {
			t.Fatal(err)
		}
		return string(sum)
	}
	size := strings.Repeat("\x00", 7)
	return "anchorpack1\n\x00\x00\x00\x02" + raw("one") + size + "\x03one" + raw("") + size + "\x00"
}

func TestReadV1(t *testing.T) {
	var got []string
	err := filepack.ReadV1(strings.NewReader(v1(t)), func(e filepack.Entry, r io.Reader) error {
		content, err := io.ReadAll(r)
		if e.Digest != digest(string(content)) || e.Size != int64(len(content)) {
			t.Errorf("%+v holds %q", e, content)
		}
		got = append(got, string(content))
		return err
	})
	if err != nil || len(got) != 2 || got[0] != "one" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestReadV1_EveryCutIsNoticed(t *testing.T) {
	whole := v1(t)
	for n := range whole {
		if err := filepack.ReadV1(strings.NewReader(whole[:n]), take); !errors.Is(err, anchor.ErrInvalid) {
			t.Fatalf("cut at %d of %d bytes: %v, want an Invalid error", n, len(whole), err)
		}
	}
}

func TestReadV1_BrokenPacksAreRefused(t *testing.T) {
	header, zeros := "anchorpack1\n", strings.Repeat("\x00", 32)
	for name, c := range map[string]struct {
		pack string
		want anchor.Kind
	}{
		"another format":  {"PK\x03\x04" + zeros, anchor.KindInvalid},
		"more at the end": {v1(t) + "x", anchor.KindInvalid},
		"too many files":  {header + "\xff\xff\xff\xff", anchor.KindTooLarge},
		"a huge file":     {header + "\x00\x00\x00\x01" + zeros + "\x7f\xff\xff\xff\xff\xff\xff\xff", anchor.KindTooLarge},
		"a negative size": {header + "\x00\x00\x00\x01" + zeros + "\xff\xff\xff\xff\xff\xff\xff\xff", anchor.KindTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			if err := filepack.ReadV1(strings.NewReader(c.pack), take); err == nil || anchor.KindOf(err) != c.want {
				t.Errorf("ReadV1 = %v, want kind %s", err, c.want)
			}
		})
	}
}

package filepack_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/filepack"
)

func TestAPackArrivesAsItWas(t *testing.T) {
	files := []string{"", "a", strings.Repeat("b", 70000)}
	packed := pack(t, files...)
	var got []string
	err := filepack.Read(bytes.NewReader(packed), func(e filepack.Entry, r io.Reader) error {
		content, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if e.Digest != digest(string(content)) || e.Size != int64(len(content)) {
			t.Errorf("the entry says %s, %d bytes; it is %s, %d bytes", e.Digest, e.Size, digest(string(content)), len(content))
		}
		got = append(got, string(content))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, "|") != strings.Join(files, "|") {
		t.Errorf("%d files arrived, %d were sent, or they differ", len(got), len(files))
	}
}

func TestWhatIsLeftUnreadIsSkipped(t *testing.T) {
	var sizes []int64
	err := filepack.Read(bytes.NewReader(pack(t, "first", "second!")), func(e filepack.Entry, _ io.Reader) error {
		sizes = append(sizes, e.Size)
		return nil
	})
	if err != nil || len(sizes) != 2 || sizes[1] != 7 {
		t.Errorf("Read = %v with sizes %v", err, sizes)
	}
}

func TestEveryCutIsNoticed(t *testing.T) {
	whole := pack(t, "one", "two")
	for n := range whole {
		err := filepack.Read(bytes.NewReader(whole[:n]), take)
		if !errors.Is(err, anchor.ErrInvalid) {
			t.Fatalf("cut at %d of %d bytes: %v, want an Invalid error", n, len(whole), err)
		}
	}
}

func TestBrokenPacksAreRefused(t *testing.T) {
	header := "anchorpack1\n"
	zeros := strings.Repeat("\x00", 32)
	cases := map[string]struct {
		pack string
		want anchor.Kind
	}{
		"another format":  {"PK\x03\x04" + zeros, anchor.KindInvalid},
		"more at the end": {string(pack(t, "one")) + "x", anchor.KindInvalid},
		"too many files":  {header + "\xff\xff\xff\xff", anchor.KindTooLarge},
		"a huge file":     {header + "\x00\x00\x00\x01" + zeros + "\x7f\xff\xff\xff\xff\xff\xff\xff", anchor.KindTooLarge},
		"a negative size": {header + "\x00\x00\x00\x01" + zeros + "\xff\xff\xff\xff\xff\xff\xff\xff", anchor.KindTooLarge},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := filepack.Read(strings.NewReader(c.pack), take)
			if err == nil || anchor.KindOf(err) != c.want {
				t.Errorf("Read = %v, want kind %s", err, c.want)
			}
		})
	}
}

func TestTheReadersErrorIsKept(t *testing.T) {
	reset := errors.New("connection reset")
	err := filepack.Read(io.MultiReader(bytes.NewReader(pack(t, "one")[:30]), failing{reset}), take)
	if !errors.Is(err, reset) {
		t.Errorf("Read = %v, want it to wrap %v", err, reset)
	}
}

// FuzzRead: whatever comes in, Read ends, hands over no more than a file may have,
// and takes only what Write would have written.
func FuzzRead(f *testing.F) {
	f.Add([]byte("anchorpack1\n\x00\x00\x00\x00"))
	f.Add(pack(f, "", "a", "bb"))
	f.Add(pack(f, "cut")[:20])
	f.Fuzz(func(t *testing.T, in []byte) {
		var entries []filepack.Entry
		contents := map[int][]byte{}
		err := filepack.Read(bytes.NewReader(in), func(e filepack.Entry, r io.Reader) error {
			content, err := io.ReadAll(r)
			if int64(len(content)) > e.Size || e.Size > filepack.MaxFileSize || e.Size < 0 {
				t.Fatalf("%d bytes for a file of %d", len(content), e.Size)
			}
			contents[len(entries)] = content
			entries = append(entries, e)
			return err
		})
		if err != nil {
			return
		}
		var again bytes.Buffer
		next := 0
		err = filepack.Write(&again, entries, func(filepack.Entry) (io.ReadCloser, error) {
			next++
			return io.NopCloser(bytes.NewReader(contents[next-1])), nil
		})
		if err != nil || !bytes.Equal(again.Bytes(), in) || filepack.Size(entries) != int64(len(in)) {
			t.Fatalf("written again it differs (%v)", err)
		}
	})
}

func take(_ filepack.Entry, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func pack(t testing.TB, files ...string) []byte {
	t.Helper()
	var entries []filepack.Entry
	contents := map[string]string{}
	for _, f := range files {
		entries = append(entries, filepack.Entry{Digest: digest(f), Size: int64(len(f))})
		contents[digest(f)] = f
	}
	var out bytes.Buffer
	err := filepack.Write(&out, entries, func(e filepack.Entry) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(contents[e.Digest])), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if filepack.Size(entries) != int64(out.Len()) {
		t.Fatalf("Size says %d, the pack has %d bytes", filepack.Size(entries), out.Len())
	}
	return out.Bytes()
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

package filepack_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/filepack"
)

func TestPack_RoundTrip(t *testing.T) {
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

func TestReader_SkipsUnreadContent(t *testing.T) {
	var sizes []int64
	err := filepack.Read(bytes.NewReader(pack(t, "first", "second!")), func(e filepack.Entry, _ io.Reader) error {
		sizes = append(sizes, e.Size)
		return nil
	})
	if err != nil || len(sizes) != 2 || sizes[1] != 7 {
		t.Errorf("Read = %v with sizes %v", err, sizes)
	}
}

func TestReader_NoticesEveryCut(t *testing.T) {
	whole := pack(t, "one", "two")
	for n := range whole {
		err := filepack.Read(bytes.NewReader(whole[:n]), take)
		if !errors.Is(err, anchor.ErrInvalid) {
			t.Fatalf("cut at %d of %d bytes: %v, want an Invalid error", n, len(whole), err)
		}
	}
}

func TestReader_RefusesBrokenPacks(t *testing.T) {
	name := strings.Repeat("a", 64)
	cases := map[string]struct {
		pack string
		want anchor.Kind
		says string
	}{
		"another format":  {"PK\x03\x04" + strings.Repeat("x", 2000), anchor.KindInvalid, "not that of a tar archive"},
		"the old format":  {"anchorpack1\n\x00\x00\x00\x00", anchor.KindInvalid, "it ends inside"},
		"nothing":         {"", anchor.KindInvalid, "before the end of the archive"},
		"more at the end": {string(pack(t, "one")) + "x", anchor.KindInvalid, "more after the end"},
		"a path":          {archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "../" + name}), anchor.KindInvalid, "not a SHA-256"},
		"upper case":      {archive(t, tar.Header{Typeflag: tar.TypeReg, Name: strings.ToUpper(name)}), anchor.KindInvalid, "not a SHA-256"},
		"a folder":        {archive(t, tar.Header{Typeflag: tar.TypeDir, Name: name}), anchor.KindInvalid, "not a regular file"},
		"a link":          {archive(t, tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: "/etc/passwd"}), anchor.KindInvalid, "not a regular file"},
		"a huge file":     {archive(t, tar.Header{Typeflag: tar.TypeReg, Name: name, Size: filepack.MaxFileSize + 1}), anchor.KindTooLarge, "PUT"},
		"too many files":  {string(pack(t, make([]string, filepack.MaxFiles+1)...)), anchor.KindTooLarge, "several packs"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := filepack.Read(strings.NewReader(c.pack), take)
			if err == nil || anchor.KindOf(err) != c.want || !strings.Contains(err.Error()+anchor.HintOf(err), c.says) {
				t.Errorf("Read = %v (hint %q), want kind %s and %q", err, anchor.HintOf(err), c.want, c.says)
			}
		})
	}
}

// archive is a tar archive with one header, and no content.
func archive(t *testing.T, header tar.Header) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&header); err != nil {
		t.Fatal(err)
	}
	if header.Size == 0 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// The programs that people have make packs and list them.
func TestPack_IsReadByTar(t *testing.T) {
	dir := t.TempDir()
	name := digest("hello")
	if err := os.WriteFile(filepath.Join(dir, name), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"ustar", "gnu", "pax"} {
		made, err := exec.Command("tar", "-C", dir, "--format="+format, "-cf", "-", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		var got []filepack.Entry
		err = filepack.Read(bytes.NewReader(made), func(e filepack.Entry, r io.Reader) error {
			got = append(got, e)
			return take(e, r)
		})
		if err != nil || len(got) != 1 || got[0].Digest != name || got[0].Size != 5 {
			t.Errorf("%s: %v, %v", format, got, err)
		}
	}
	list := exec.Command("tar", "-tf", "-")
	list.Stdin = bytes.NewReader(pack(t, "hello", "world"))
	out, err := list.Output()
	if want := name + "\n" + digest("world") + "\n"; err != nil || string(out) != want {
		t.Errorf("tar lists %q, %v; want %q", out, err, want)
	}
}

func TestReader_KeepsSourceError(t *testing.T) {
	reset := errors.New("connection reset")
	err := filepack.Read(io.MultiReader(bytes.NewReader(pack(t, "one")[:530]), failing{reset}), take)
	if !errors.Is(err, reset) {
		t.Errorf("Read = %v, want it to wrap %v", err, reset)
	}
}

// FuzzRead: for any input, Read ends, and passes on no more than a file may have. What it
// accepts is the same when it is written again.
func FuzzRead(f *testing.F) {
	f.Add(make([]byte, 1024))
	f.Add(pack(f, "", "a", "bb"))
	f.Add(pack(f, "cut")[:520])
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
		if err != nil || filepack.Size(entries) != int64(again.Len()) {
			t.Fatalf("written again: %v, %d bytes", err, again.Len())
		}
		next = 0
		err = filepack.Read(&again, func(e filepack.Entry, r io.Reader) error {
			content, err := io.ReadAll(r)
			if e != entries[next] || !bytes.Equal(content, contents[next]) {
				t.Fatalf("file %d differs", next)
			}
			next++
			return err
		})
		if err != nil || next != len(entries) {
			t.Fatalf("read again: %d of %d files, %v", next, len(entries), err)
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

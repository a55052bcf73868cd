package function

import (
	"archive/zip"
	"bytes"
	"context"
	"io/fs"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Hurry makes waits short.
func (f *Functions) Hurry() { f.step = 20 * time.Millisecond }

// LeaseTimes sets how long a lease lasts and how long it is waited for.
func (f *Functions) LeaseTimes(ttl, wait time.Duration) { f.leaseTTL, f.leaseWait = ttl, wait }

// Zip packs the function of that name.
func (f *Functions) Zip(t testing.TB, a deploy.Artifact, name string) []byte {
	t.Helper()
	for _, p := range f.parts(a) {
		if p.name == name {
			var packed bytes.Buffer
			if err := pack(context.Background(), &packed, a.Dir, p); err != nil {
				t.Fatal(err)
			}
			return packed.Bytes()
		}
	}
	t.Fatalf("the artifact has no function %s", name)
	return nil
}

// Unzip gives the files of a zip by name.
func Unzip(t testing.TB, packed []byte) fs.FS {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

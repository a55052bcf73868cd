package function

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Hurry shortens the waits.
func (f *Functions) Hurry() { f.step = 20 * time.Millisecond }

// Amble makes waits longer than the emulator's transitions, so that two reads see each.
func (f *Functions) Amble() { f.step = maxStep }

// LeaseTimes sets how long a lease lasts, and how long to wait for one.
func (f *Functions) LeaseTimes(ttl, wait time.Duration) { f.leaseTTL, f.leaseWait = ttl, wait }

// Zip packs the function of that name.
func (f *Functions) Zip(t testing.TB, a deploy.Artifact, name string) []byte {
	t.Helper()
	for _, p := range f.partsOf(a) {
		if p.name == name {
			var packed bytes.Buffer
			if err := packZip(context.Background(), &packed, a.Dir, p); err != nil {
				t.Fatal(err)
			}
			return packed.Bytes()
		}
	}
	t.Fatalf("the artifact has no function %s", name)
	return nil
}

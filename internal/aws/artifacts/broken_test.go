package artifacts_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// cutting cuts the bodies of the next answers to GETs after their first bytes, when the SDK has
// already returned the answer.
type cutting struct {
	*awstest.Wire
	cut atomic.Int64 // answers still to be cut
}

func (c *cutting) Do(r *http.Request) (*http.Response, error) {
	res, err := c.Wire.Do(r)
	if err == nil && r.Method == http.MethodGet && !strings.HasSuffix(r.URL.Path, ".json") && c.cut.Add(-1) >= 0 {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(res.Body, 1), broken{}), res.Body}
	}
	return res, err
}

func TestUnpack_RestartsBrokenDownloads(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	wire := &cutting{Wire: w.Wire}
	w.s3 = s3.New(w.s3.Options(), func(o *s3.Options) { o.HTTPClient = wire })
	m, files := someTree(t)
	id := newID()
	upload(t, w.open(t), id, m, files)

	wire.cut.Store(3)
	_, _, err := w.open(t).Unpack(t.Context(), id)
	must(t, err)
	wire.cut.Store(1000)
	_, _, err = w.open(t).Unpack(t.Context(), id)
	wantCode(t, err, "s3")

	dir, _ := buildTree(t)
	for at, fill := range map[string]func(){
		"artifacts/p1/archive/": func() {
			w.put(t, "artifacts/p1/archive/open-next.tar.gz", pack(t, entriesOf(t, dir)...))
		},
		"artifacts/p1/files/": func() {
			for _, e := range entriesOf(t, dir) {
				w.put(t, "artifacts/p1/files/"+e.Name, []byte(e.content))
			}
		},
	} {
		wire.cut.Store(0)
		fill()
		wire.cut.Store(3)
		_, err = w.open(t).Import(t.Context(), newID(), at)
		must(t, err)
		wire.cut.Store(1000)
		if _, err = w.open(t).Import(t.Context(), newID(), at); err == nil {
			t.Errorf("%s: an import whose downloads all break is not an error", at)
		}
	}
}

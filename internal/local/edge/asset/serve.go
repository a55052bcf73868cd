package asset

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

var varyEncoding = []string{"Accept-Encoding"}

// Serve answers a GET or HEAD request with the file. An error means that the file cannot be read
// and that nothing was written: the caller still owns the response. A client that disconnects is
// not an error.
func (a Asset) Serve(w http.ResponseWriter, r *http.Request) error {
	v, part := a.entry.chooseVariant(r.Header["Accept-Encoding"]), wantsPart(r)
	switch judged, held := a.judgePreconditions(r.Header, v, part); judged {
	case unchanged:
		a.describeVariant(w.Header(), held)
		w.WriteHeader(http.StatusNotModified)
		return nil
	case preconditionFailed:
		a.describeVariant(w.Header(), held)
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusPreconditionFailed)
		return nil
	}
	if part {
		return a.servePart(w, r)
	}
	if r.Method == http.MethodHead {
		a.describeBody(w.Header(), v)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	body, err := a.loadBody(v)
	if err != nil {
		return err
	}
	if body == nil {
		return a.serveFile(w, v)
	}
	a.describeBody(w.Header(), v)
	w.Write(body)
	return nil
}

func (a Asset) serveFile(w http.ResponseWriter, v *variant) error {
	f, err := a.openFile(v)
	if err != nil {
		return err
	}
	defer f.Close()
	a.describeBody(w.Header(), v)
	// ReadFrom reaches sendfile(2); io.Copy would hide the *os.File behind its WriteTo first.
	if to, ok := w.(io.ReaderFrom); ok {
		_, _ = to.ReadFrom(f) // the client may have disconnected
		return nil
	}
	_, _ = io.Copy(w, f)
	return nil
}

// loadBody returns the body of a variant that Memory keeps or can now store; nil when it has to come
// from its file.
func (a Asset) loadBody(v *variant) ([]byte, error) {
	if body := v.keptBody(); body != nil {
		return body, nil
	}
	memory := a.index.place.Memory
	if !memory.fitsMemory(v) {
		return nil, nil
	}
	f, err := a.openFile(v)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body := make([]byte, v.size)
	if _, err := io.ReadFull(f, body); err != nil {
		return nil, fmt.Errorf("read asset %s: %w", f.Name(), err)
	}
	memory.keepBody(v, body)
	return body, nil
}

// openFile checks the length against the index: Content-Length is promised before the first octet is
// read.
func (a Asset) openFile(v *variant) (*os.File, error) {
	f, err := os.Open(a.index.place.variantPath(a.entry, v))
	if err != nil {
		return nil, fmt.Errorf("open asset %s: %w", a.entry.path, err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() != v.size {
		err = fmt.Errorf("%d octets, the index says %d; deploy again", info.Size(), v.size)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("check asset %s: %w", f.Name(), err)
	}
	return f, nil
}

// describeVariant sets the headers that a 200 and a 304 have in common (RFC 9110, section 15.4.5).
func (a Asset) describeVariant(h http.Header, v *variant) {
	h["Cache-Control"] = a.entry.cacheControl
	h["Etag"] = v.etag
	h["Last-Modified"] = a.index.lastModified
	if a.entry.hasVariants() {
		h["Vary"] = varyEncoding
	}
}

func (a Asset) describeBody(h http.Header, v *variant) {
	a.describeVariant(h, v)
	h["Content-Type"] = a.entry.contentType
	h["Content-Length"] = v.length
	if v.coding != nil {
		h["Content-Encoding"] = v.coding
	} else {
		h["Accept-Ranges"] = acceptRanges
	}
}

var acceptRanges = []string{"bytes"}

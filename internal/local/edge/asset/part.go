package asset

import (
	"net/http"
	"strconv"
	"strings"
)

const bytesUnit = "bytes="

// wantsPart reports whether a request asks for a range: only GET has ranges, and an unknown unit is
// ignored (RFC 9110, section 14.2). Names of units are compared without regard to case (section
// 14.1).
func wantsPart(r *http.Request) bool {
	lines := r.Header["Range"]
	return len(lines) > 0 && r.Method == http.MethodGet && len(lines[0]) > len(bytesUnit) &&
		strings.EqualFold(lines[0][:len(bytesUnit)], bytesUnit)
}

// servePart leaves ranges to net/http, on the file as it is: a range of a compressed variant does
// not help a client that resumes.
func (a Asset) servePart(w http.ResponseWriter, r *http.Request) error {
	v := &a.entry.identity
	f, err := a.openFile(v)
	if err != nil {
		return err
	}
	defer f.Close()
	part := r.WithContext(r.Context())
	part.Header = http.Header{"Range": {rewriteSuffixes(r.Header["Range"][0], v.size)}}
	if condition, ok := r.Header["If-Range"]; ok {
		part.Header["If-Range"] = condition
	}
	a.describeVariant(w.Header(), v)
	w.Header()["Content-Type"] = a.entry.contentType
	if v.coding != nil {
		w.Header()["Content-Encoding"] = v.coding
	}
	http.ServeContent(w, part, "", a.index.modTime, f)
	return nil
}

// rewriteSuffixes rewrites a suffix of zero octets, which nothing satisfies (RFC 9110, section 14.1.2), to
// the range behind the end: net/http would answer it with an empty part.
func rewriteSuffixes(ranges string, size int64) string {
	specs := strings.Split(ranges[len(bytesUnit):], ",")
	for i, spec := range specs {
		spec = strings.Trim(spec, " \t")
		if zeros, ok := strings.CutPrefix(spec, "-"); ok && zeros != "" && strings.Trim(zeros, "0") == "" {
			spec = strconv.FormatInt(size, 10) + "-"
		}
		specs[i] = spec
	}
	return bytesUnit + strings.Join(specs, ",")
}

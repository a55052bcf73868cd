package awswire

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
)

const checksumPrefix = "x-amz-checksum-"

// nvme is the polynomial of CRC-64/NVME, reflected, as S3 computes x-amz-checksum-crc64nvme.
var nvme = crc64.MakeTable(0x9a6c_9329_ac4b_c9b5)

// algorithms are the checksums of S3's "Checking object integrity", by header.
var algorithms = map[string]func() hash.Hash{
	checksumPrefix + "crc32":     func() hash.Hash { return crc32.NewIEEE() },
	checksumPrefix + "crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	checksumPrefix + "crc64nvme": func() hash.Hash { return crc64.New(nvme) },
	checksumPrefix + "sha1":      sha1.New,
	checksumPrefix + "sha256":    sha256.New,
}

// check is one checksum that a request announces, in a header or in the trailer of an aws-chunked
// body.
type check struct {
	header    string
	want      string
	inTrailer bool
	encode    func([]byte) string
	code      string // S3's error code for a mismatch
	hash      hash.Hash
}

func (c check) compareSum(want string) error {
	if got := c.encode(c.hash.Sum(nil)); got != want {
		return &s3Error{http.StatusBadRequest, c.code, fmt.Sprintf("The %s of the body is %s, the request says %q.", c.header, got, want)}
	}
	return nil
}

func checksOf(head http.Header) ([]check, error) {
	var checks []check
	if want := head.Get("Content-Md5"); want != "" {
		checks = append(checks, check{header: "content-md5", want: want, encode: base64.StdEncoding.EncodeToString, code: "BadDigest", hash: md5.New()})
	}
	if want := head.Get("X-Amz-Content-Sha256"); len(want) == 2*sha256.Size {
		checks = append(checks, check{header: "x-amz-content-sha256", want: want, encode: hex.EncodeToString, code: "XAmzContentSHA256Mismatch", hash: sha256.New()})
	}
	for name, values := range head {
		if name = strings.ToLower(name); isChecksum(name) {
			c, err := newCheck(name, values[0], false)
			if err != nil {
				return nil, err
			}
			checks = append(checks, c)
		}
	}
	for name := range strings.SplitSeq(head.Get("X-Amz-Trailer"), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name == "" {
			continue
		}
		c, err := newCheck(name, "", true)
		if err != nil {
			return nil, err
		}
		checks = append(checks, c)
	}
	return checks, nil
}

// isChecksum reports whether a header holds a checksum. Two headers share the prefix and hold none.
func isChecksum(name string) bool {
	return strings.HasPrefix(name, checksumPrefix) && name != checksumPrefix+"mode" && name != checksumPrefix+"type" &&
		name != checksumPrefix+"algorithm"
}

func newCheck(name, want string, inTrailer bool) (check, error) {
	algorithm, ok := algorithms[name]
	if !ok {
		return check{}, &s3Error{http.StatusBadRequest, "InvalidRequest", "The checksum " + name + " is not known."}
	}
	return check{header: name, want: want, inTrailer: inTrailer, encode: base64.StdEncoding.EncodeToString, code: "BadDigest", hash: algorithm()}, nil
}

package awswire_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/anchor-deploy/anchor/internal/local/isr"
	"github.com/anchor-deploy/anchor/internal/local/isr/awswire"
)

// hostileKeys are keys as they come from URLs, serialized arguments and attackers.
var hostileKeys = []string{
	"_cache/BUILD/index.cache",
	"_cache/BUILD/../../../../etc/passwd",
	"_cache/BUILD//double//slash.cache",
	"..",
	"_cache/BUILD/INDEX.cache",
	"_cache/BUILD/[\"a\",{\"b\":\"ü 漢字 \u202e\"}].composable",
	"_cache/BUILD/100%25 +&?=#.cache",
	"_cache/BUILD/back\\slash\x01.cache",
	"_cache/BUILD/CON",
	"_cache/" + strings.Repeat("long/", 1000),
}

func TestS3_HostileKeysRoundTrip(t *testing.T) {
	client := newServer(t).s3("one")
	for _, key := range hostileKeys {
		put(t, client, key, strings.NewReader("body of "+key))
	}
	for _, key := range hostileKeys {
		if got := get(t, client, key); got != "body of "+key {
			t.Errorf("%q holds %q", key, got)
		}
	}
}

func TestS3_ObjectHasMetadata(t *testing.T) {
	client := newServer(t).s3("one")
	before := time.Now().Truncate(time.Millisecond)
	put(t, client, "k", strings.NewReader(`{"type":"app"}`))
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(awswire.CacheBucket), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if out.LastModified.Before(before) || out.LastModified.After(time.Now()) || *out.ContentLength != 14 {
		t.Errorf("LastModified %v, length %d", out.LastModified, *out.ContentLength)
	}
	head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(awswire.CacheBucket), Key: aws.String("k")})
	if err != nil || *head.ETag != *out.ETag || *head.ContentLength != 14 || !head.LastModified.Equal(*out.LastModified) {
		t.Errorf("HEAD says %+v, %v", head, err)
	}
}

// Last-Modified is when the making of the entry began, if the bootstrap reports it.
func TestS3_LastModifiedIsWhenMakingBegan(t *testing.T) {
	s := newServer(t)
	now := time.Now()
	for sent, want := range map[string]time.Time{"1700000000007": time.UnixMilli(1700000000007), "": now, "soon": now, "-5": now} {
		status, _, answer := s.raw(t, "one", "PUT", "/"+awswire.CacheBucket+"/k?x-id=PutObject", map[string]string{"X-Anchor-Made": sent}, strings.NewReader("x"))
		if status != http.StatusOK {
			t.Fatalf("%q: %d %s", sent, status, answer)
		}
		o, err := s.store.Get(t.Context(), "one", "k")
		if err != nil {
			t.Fatal(err)
		}
		o.Close()
		if late := o.Modified.Sub(want); late < -time.Millisecond || late > time.Minute || sent == "1700000000007" && late != 0 {
			t.Errorf("%q: modified %v, want %v", sent, o.Modified, want)
		}
	}
}

// OpenNext's "-lite" overrides read Last-Modified with Date, which the milliseconds must not
// confuse.
func TestS3_LastModifiedHasMilliseconds(t *testing.T) {
	s := newServer(t)
	file := filepath.Join(t.TempDir(), "isr.cache")
	if err := os.WriteFile(file, []byte("seeded"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, built := range []time.Time{time.UnixMilli(1795881098007), time.UnixMilli(1795881098000), time.UnixMilli(1795881098999)} {
		ns := strconv.FormatInt(built.UnixMilli(), 10)
		if err := s.store.Seed(t.Context(), ns, []isr.SeedObject{{Key: "k", File: file, Modified: built}}, nil); err != nil {
			t.Fatal(err)
		}
		script := `const hit = await fetch(process.argv[1], { headers: { authorization: "AWS4-HMAC-SHA256 Credential=" + process.argv[2] + "/x" } });
			console.log(new Date(hit.headers.get("last-modified")).getTime());`
		node := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", script, s.endpoint+"/"+awswire.CacheBucket+"/k", s.keys.Issue(ns).ID)
		out, err := node.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != ns {
			t.Errorf("reads %s, want %s, %v", got, ns, err)
		}
	}
}

func TestS3_MissingObjectIsNoSuchKey(t *testing.T) {
	client := newServer(t).s3("one")
	put(t, client, "k", strings.NewReader("x"))
	for range 2 { // deleting a missing object is not an error
		if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(awswire.CacheBucket), Key: aws.String("k")}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(awswire.CacheBucket), Key: aws.String("k")})
	var missing *types.NoSuchKey
	if !errors.As(err, &missing) {
		t.Fatalf("got %v", err)
	}
}

// With an unsigned payload and a stream, the SDK sends STREAMING-UNSIGNED-PAYLOAD-TRAILER, the
// checksum last.
func TestS3_LargeBodiesWithTrailerChecksums(t *testing.T) {
	client := newServer(t).s3("one")
	large := make([]byte, 5<<20+7)
	rand.NewChaCha8([32]byte{1}).Read(large)
	for _, algorithm := range []types.ChecksumAlgorithm{
		types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme,
		types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
	} {
		for _, unsigned := range []bool{true, false} {
			var opts []func(*s3.Options)
			if unsigned {
				opts = append(opts, s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
			}
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(awswire.CacheBucket),
				Key: aws.String("large"), Body: bytes.NewReader(large), ChecksumAlgorithm: algorithm}, opts...)
			if err != nil {
				t.Fatalf("%s: %v", algorithm, err)
			}
			if got := get(t, client, "large"); got != string(large) {
				t.Fatalf("%s: %d bytes came back", algorithm, len(got))
			}
		}
	}
}

func TestS3_DamagedBodyKeepsOldEntry(t *testing.T) {
	s := newServer(t)
	put(t, s.s3("one"), "k", strings.NewReader("old"))
	streaming := map[string]string{"X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": "3"}
	for name, c := range map[string]struct {
		head       map[string]string
		body, code string
	}{
		"header checksum":  {map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA=="}, "new", "BadDigest"},
		"unknown checksum": {map[string]string{"X-Amz-Checksum-Md4": "AAAAAA=="}, "new", "InvalidRequest"},
		"md5":              {map[string]string{"Content-Md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, "new", "BadDigest"},
		"sha256":           {map[string]string{"X-Amz-Content-Sha256": strings.Repeat("0", 64)}, "new", "XAmzContentSHA256Mismatch"},
		"trailer checksum": {streaming, "3\r\nnew\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "BadDigest"},
		"no trailer":       {streaming, "3\r\nnew\r\n0\r\n\r\n", "BadDigest"},
		"cut off":          {streaming, "3\r\nne", "IncompleteBody"},
		"too short":        {streaming, "2\r\nne\r\n0\r\n\r\n", "IncompleteBody"},
		"not chunked":      {streaming, "new", "IncompleteBody"},
		"bad size":         {streaming, "zz\r\nnew\r\n0\r\n\r\n", "InvalidRequest"},
		"copy":             {map[string]string{"X-Amz-Copy-Source": "/a/b"}, "", "NotImplemented"},
	} {
		status, _, answer := s.raw(t, "one", "PUT", "/"+awswire.CacheBucket+"/k?x-id=PutObject", c.head, strings.NewReader(c.body))
		if status/100 == 2 || !strings.Contains(answer, "<Code>"+c.code+"</Code>") {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		if got := get(t, s.s3("one"), "k"); got != "old" {
			t.Errorf("%s: the entry is now %q", name, got)
		}
	}
}

func TestS3_AccessKeysSeparateNamespaces(t *testing.T) {
	s := newServer(t)
	put(t, s.s3("one"), "k", strings.NewReader("of one"))
	put(t, s.s3("two"), "k", strings.NewReader("of two"))
	if got := get(t, s.s3("one"), "k"); got != "of one" {
		t.Errorf("one reads %q", got)
	}
	old := s.config("one")
	s.keys.Revoke("one")
	for name, client := range map[string]*s3.Client{
		"revoked": s3.NewFromConfig(old),
		"unknown": s3.NewFromConfig(configWith(s.endpoint, "AKIDEXAMPLE", "secret")),
	} {
		_, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(awswire.CacheBucket), Key: aws.String("k")})
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != "InvalidAccessKeyId" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestS3_RefusesUnsupportedByName(t *testing.T) {
	s := newServer(t)
	for request, want := range map[string]string{
		"GET /" + awswire.CacheBucket + "?list-type=2":   "list-type",
		"POST /" + awswire.CacheBucket + "/k?uploads":    "uploads",
		"POST /" + awswire.CacheBucket + "/k":            "MethodNotAllowed",
		"GET /somebodys-bucket/k":                        "NoSuchBucket",
		"PUT /" + awswire.AssetBucket + "/logo.png":      "AccessDenied",
		"GET /" + awswire.CacheBucket + "/?x-id=ListAll": "NotImplemented",
		"PUT /" + awswire.CacheBucket + "/k?tagging":     "tagging",
	} {
		method, path, _ := strings.Cut(request, " ")
		if status, _, answer := s.raw(t, "one", method, path, nil, nil); status < 400 || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s", request, status, answer)
		}
	}
}

// The "lite" overrides put keys into URLs as they are.
func TestS3_QuestionMarkInKey(t *testing.T) {
	s := newServer(t)
	path := "/" + awswire.CacheBucket + "/_cache/B/[\"id\",{\"a\":\"b?c\"}].composable"
	for _, tail := range []string{"", "1"} {
		if status, _, answer := s.raw(t, "one", "PUT", path+tail, nil, strings.NewReader("body"+tail)); status != 200 {
			t.Fatal(status, answer)
		}
	}
	if status, _, answer := s.raw(t, "one", "GET", path, nil, nil); status != 200 || answer != "body" {
		t.Error(status, answer)
	}
}

func TestS3_ImageFunctionReadsOriginals(t *testing.T) {
	s := newServer(t)
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("PNG"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.assets["one my logo.png"] = awswire.Asset{Path: file, ContentType: "image/png", CacheControl: "public,max-age=60"}
	for _, key := range []string{"my logo.png", "my%20logo.png", "my%20logo.png?v=2", "my logo.png?v=a/b?c", "my logo.png#part", "my%20logo.png?v=2#part?"} {
		out, err := s.s3("one").GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(awswire.AssetBucket), Key: aws.String(key)})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(out.Body)
		if err != nil || string(body) != "PNG" || *out.ContentType != "image/png" || *out.CacheControl != "public,max-age=60" {
			t.Errorf("%q: %q %s %v", key, body, *out.ContentType, err)
		}
	}
	_, err := s.s3("two").GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(awswire.AssetBucket), Key: aws.String("my logo.png")})
	var missing *types.NoSuchKey
	if !errors.As(err, &missing) {
		t.Errorf("another deployment reads it: %v", err)
	}
}

func TestS3_ServesSeededEntries(t *testing.T) {
	s := newServer(t)
	file := filepath.Join(t.TempDir(), "isr.cache")
	if err := os.WriteFile(file, []byte("seeded"), 0o600); err != nil {
		t.Fatal(err)
	}
	built := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	key := awswire.SeedKey("BUILD/isr.cache")
	if err := s.store.Seed(t.Context(), "one", []isr.SeedObject{{Key: key, File: file, Modified: built}}, nil); err != nil {
		t.Fatal(err)
	}
	out, err := s.s3("one").GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(awswire.CacheBucket), Key: aws.String(key)})
	if err != nil || !out.LastModified.Equal(built) {
		t.Fatalf("%+v, %v", out, err)
	}
	put(t, s.s3("one"), key, strings.NewReader("fresh"))
	if got := get(t, s.s3("one"), key); got != "fresh" {
		t.Errorf("got %q", got)
	}
}

func put(t testing.TB, client *s3.Client, key string, body io.Reader) {
	t.Helper()
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(awswire.CacheBucket), Key: aws.String(key), Body: body}); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, client *s3.Client, key string) string {
	t.Helper()
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(awswire.CacheBucket), Key: aws.String(key)})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

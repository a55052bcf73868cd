package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/filepack"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// Stream hands a handler the request itself, so that its body is read as it
// arrives and never held in memory.
type Stream struct {
	request *http.Request
	writer  http.ResponseWriter
}

// Resolve implements huma.Resolver.
func (s *Stream) Resolve(ctx huma.Context) []error {
	s.request, s.writer = humago.Unwrap(ctx)
	return nil
}

func (s *server) uploadRoutes() {
	put := newOperation("put-file", http.MethodPut, "/projects/{projectId}/files/{digest}", anchor.ScopeDeploy,
		"Upload one file by its SHA-256", 404, 411)
	put.RequestBody = rawBody("application/octet-stream", "The file's content; Content-Length is required.")
	put.DefaultStatus = http.StatusOK
	put.Metadata[quietKey] = true
	handleRoute(s, put, s.putFile)
	many := newOperation("put-files", http.MethodPost, "/projects/{projectId}/files", anchor.ScopeDeploy,
		"Upload many small files at once", 404)
	many.RequestBody = rawBody(wire.PackType, fmt.Sprintf(
		"A tar archive of regular files, each named by the SHA-256 of its content in lower-case hex; "+
			"at most %d files of at most %d bytes each, and %d bytes in all.", filepack.MaxFiles, filepack.MaxFileSize, filepack.MaxSize))
	many.DefaultStatus = http.StatusOK
	many.Metadata[quietKey] = true
	handleRoute(s, many, s.putFiles)
}

func rawBody(mediaType, description string) *huma.RequestBody {
	return &huma.RequestBody{Required: true, Description: description,
		Content: map[string]*huma.MediaType{mediaType: {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
}

type putFileInput struct {
	InProject
	Digest string `path:"digest" maxLength:"64" minLength:"64" doc:"SHA-256 in lower-case hex"`
	Stream
}

func (s *server) putFile(ctx context.Context, in *putFileInput) (*body[wire.Received], error) {
	size, err := s.uploadSize(in.request)
	if err != nil {
		return nil, err
	}
	digest, err := artifact.ParseDigest(in.Digest)
	if err != nil {
		return nil, err
	}
	p, content, err := s.acceptUpload(ctx, in.ProjectID, in.Stream, "application/octet-stream", size)
	if err != nil {
		return nil, err
	}
	if err := s.Deploys.PutFile(ctx, p.ID, digest, size, content); err != nil {
		return nil, err
	}
	return answerWith(wire.Received{Files: 1, Bytes: size}), nil
}

func (s *server) putFiles(ctx context.Context, in *struct {
	InProject
	Stream
}) (*body[wire.Received], error) {
	mediaType, read := wire.PackType, filepack.Read
	if isType(in.request.Header.Get("Content-Type"), wire.PackTypeV1) {
		mediaType, read = wire.PackTypeV1, filepack.ReadV1
	}
	p, content, err := s.acceptUpload(ctx, in.ProjectID, in.Stream, mediaType, filepack.MaxSize)
	if err != nil {
		return nil, err
	}
	var got wire.Received
	err = read(content, func(e filepack.Entry, r io.Reader) error {
		got.Files++
		got.Bytes += e.Size
		return s.Deploys.PutFile(ctx, p.ID, artifact.Digest(e.Digest), e.Size, r)
	})
	if err != nil {
		return nil, err
	}
	return answerWith(got), nil
}

// acceptUpload checks what can be checked before the body is read, and returns the body with its size
// limit and its deadline.
func (s *server) acceptUpload(ctx context.Context, project string, in Stream, mediaType string, limit int64) (anchor.Project, io.Reader, error) {
	if sent := in.request.Header.Get("Content-Type"); !isType(sent, mediaType) {
		return anchor.Project{}, nil, newProblem(http.StatusUnsupportedMediaType, "unsupported_media_type",
			fmt.Sprintf("the content type of the body is %q", sent), "Send it with Content-Type: "+mediaType+".")
	}
	p, err := s.Projects.Get(ctx, project)
	if err != nil {
		return anchor.Project{}, nil, err
	}
	// Not every writer has deadlines (HTTP/2 in tests): the limit is then the server's own.
	_ = http.NewResponseController(in.writer).SetReadDeadline(time.Now().Add(uploadTimeout))
	return p, http.MaxBytesReader(in.writer, in.request.Body, limit), nil
}

func isType(header, want string) bool {
	got, _, _ := strings.Cut(header, ";")
	return strings.EqualFold(strings.TrimSpace(got), want)
}

func (s *server) uploadSize(r *http.Request) (int64, error) {
	switch size := r.ContentLength; {
	case size < 0:
		return 0, newProblem(http.StatusLengthRequired, "length_required", "the upload has no Content-Length",
			"Send it with Content-Length, not chunked.")
	case size > s.MaxFile:
		return 0, anchor.TooLarge("file_too_large", "the file is too large: its size in bytes is %d; the limit is %d", size, s.MaxFile).
			Hintf("Move files this large out of the build, for example to object storage.")
	default:
		return size, nil
	}
}

package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) cacheListRoute() {
	list := newOperation("list-cache", http.MethodGet, "/projects/{projectId}/cache/answers", anchor.ScopeRead,
		"List the stored answers of a project by their addresses", 404, 501)
	handleRoute(s, list, s.listCache)
}

func (s *server) listCache(ctx context.Context, in *struct {
	InProject
	Paged
	Prefix       string              `query:"prefix" maxLength:"8192" doc:"How an address, or a path on all hosts, begins"`
	Tag          string              `query:"tag" maxLength:"1024" doc:"A tag; answers whose tags are unknown are listed too"`
	DeploymentID anchor.DeploymentID `query:"deploymentId" maxLength:"64" doc:"Only answers of this deployment"`
}) (*body[anchor.List[wire.CachedAnswer]], error) {
	p, err := s.cachedProject(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	sel, err := selection(wire.PurgeCache{Prefix: in.Prefix, Tag: in.Tag, DeploymentID: in.DeploymentID})
	if err != nil {
		return nil, err
	}
	if sel.Deployment != "" {
		if _, err := s.Deploys.Get(ctx, p.ID, sel.Deployment); err != nil {
			return nil, err
		}
	}
	after, err := readPlace(in.Cursor)
	if err != nil {
		return nil, err
	}
	all, err := s.Cache.List(ctx, p, sel)
	if err != nil {
		return nil, err
	}
	return answerWith(cutAnswers(all, after, in.pageOf().Size())), nil
}

// cutAnswers returns the size answers that come after a place in the order of the list.
func cutAnswers(all []wire.CachedAnswer, after answerPlace, size int) anchor.List[wire.CachedAnswer] {
	slices.SortFunc(all, func(a, b wire.CachedAnswer) int { return placeOf(a).compare(placeOf(b)) })
	first, found := slices.BinarySearchFunc(all, after, func(a wire.CachedAnswer, p answerPlace) int { return placeOf(a).compare(p) })
	if found {
		first++
	}
	list := anchor.List[wire.CachedAnswer]{Items: append([]wire.CachedAnswer{}, all[first:min(first+size, len(all))]...)}
	if first+size < len(all) {
		list.Next = placeOf(list.Items[size-1]).cursor()
	}
	return list
}

// answerPlace is where an answer is in the list: by the beginning of its address, which a cursor has
// room for, then by deployment and id.
type answerPlace struct{ url, rest string }

const (
	longestPlace = 120
	restLength   = 26 + 16 // a deployment's id and an answer's
)

func placeOf(a wire.CachedAnswer) answerPlace {
	return answerPlace{a.URL[:min(len(a.URL), longestPlace)], string(a.DeploymentID) + a.ID}
}

func (p answerPlace) compare(other answerPlace) int {
	return cmp.Or(cmp.Compare(p.url, other.url), cmp.Compare(p.rest, other.rest))
}

func (p answerPlace) cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.rest + p.url))
}

func readPlace(cursor string) (answerPlace, error) {
	if cursor == "" {
		return answerPlace{}, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil && len(text) > restLength {
		return answerPlace{string(text[restLength:]), string(text[:restLength])}, nil
	}
	return answerPlace{}, anchor.Invalid("bad_cursor", "%q is not a cursor of this list", cursor).
		Hintf("Pass the \"next\" of the previous page unchanged.").Because(err)
}

package front

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	"github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/retry"
)

const liveKey = "live"

// pointer is the value of the key "live".
type pointer struct {
	Revision   int64               `json:"r"`
	Deployment anchor.DeploymentID `json:"d"`
	// ForceReload ends the use of earlier deployments by open tabs at once, see Tabs.
	ForceReload bool `json:"f,omitempty"`
	// Of a split, see anchor.Split. Sticky is by the visitor's address, because a viewer-request function cannot set a
	// cookie beside an answer that CloudFront caches.
	Candidate anchor.DeploymentID `json:"c,omitempty"`
	Weight    int                 `json:"w,omitempty"`
	Sticky    bool                `json:"s,omitempty"`
}

// pointerOf returns the value for a live pointer.
func pointerOf(live anchor.Live) pointer {
	p := pointer{Revision: live.Revision, Deployment: live.Deployment, ForceReload: live.ForceReload}
	if split := live.Split; split != nil {
		p.Candidate, p.Weight, p.Sticky = split.Deployment, split.Weight, split.Sticky
	}
	return p
}

// sameTraffic reports whether the two send the same requests to the same deployments.
func (p pointer) sameTraffic(other pointer) bool {
	p.Revision, p.ForceReload = other.Revision, other.ForceReload
	return p == other
}

// store is what a process knows about a project's KeyValueStore.
type store struct {
	project      anchor.ProjectID
	name         string
	arn          string
	distribution string // id, "" when nobody has stored it yet

	mu sync.Mutex
	// etag and live belong together: live was read under etag or later. A write that succeeds
	// with etag therefore replaces a known state.
	etag string
	live pointer
}

// edit is one change of a store, made as a whole or not at all.
type edit struct {
	puts    map[string]string
	deletes []string
	live    *pointer
}

func (e edit) isEmpty() bool { return len(e.puts) == 0 && len(e.deletes) == 0 && e.live == nil }

// store finds the project's store, or returns an error when Ensure has not created it.
func (f *Front) store(ctx context.Context, p anchor.Project) (*store, error) {
	f.mu.Lock()
	s := f.stores[p.ID]
	f.mu.Unlock()
	if s != nil {
		return s, nil
	}
	found, _, err := f.findStore(ctx, p)
	if isGone(err) {
		return nil, noDistribution(p, err)
	}
	if err != nil {
		return nil, explainFailure(err, "cloudfront:DescribeKeyValueStore", f.resourceName(p))
	}
	return f.rememberStore(p, found), nil
}

// rememberStore stores the first store that was found, as long as it is the same one.
func (f *Front) rememberStore(p anchor.Project, s *store) *store {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.stores[p.ID]; known != nil && known.arn == s.arn {
		return known
	}
	f.stores[p.ID] = s
	return s
}

// dropStore forgets a store that no longer exists.
func (f *Front) dropStore(p anchor.ProjectID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.stores, p)
}

// Know uses the result of an earlier Ensure instead of looking up the project's store. Prepare
// detects when it is wrong.
func (f *Front) Know(p anchor.Project, site Site) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stores[p.ID] == nil {
		f.stores[p.ID] = &store{project: p.ID, name: f.resourceName(p), arn: site.Store, distribution: site.Distribution}
	}
}

// Knows reports whether the project's store needs no look-up.
func (f *Front) Knows(p anchor.ProjectID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stores[p] != nil
}

// errForeign reports that another project has, or had, the same name.
var errForeign = errors.New("the name belongs to another project")

// findStore returns the store, with what its comment says: project and distribution.
func (f *Front) findStore(ctx context.Context, p anchor.Project) (*store, *cloudfront.DescribeKeyValueStoreOutput, error) {
	out, err := f.CloudFront.DescribeKeyValueStore(ctx, &cloudfront.DescribeKeyValueStoreInput{Name: sdk.String(f.resourceName(p))})
	if err != nil {
		return nil, nil, err
	}
	owner, distribution, _ := strings.Cut(sdk.ToString(out.KeyValueStore.Comment), " ")
	if owner != string(p.ID) {
		return nil, nil, settlingError("the project that had the name "+p.Slug+" before",
			fmt.Errorf("%w: the store %s belongs to %q", errForeign, f.resourceName(p), owner))
	}
	return &store{project: p.ID, name: f.resourceName(p), arn: sdk.ToString(out.KeyValueStore.ARN), distribution: distribution}, out, nil
}

// ensureStore finds or creates the project's store, and waits until functions can be associated
// with it.
func (f *Front) ensureStore(ctx context.Context, p anchor.Project) (*store, error) {
	looks := f.retries
	looks.Calls *= 2 // a store is READY after some minutes
	var ready *store
	var last error
	err := retry.Poll(ctx, looks, func() (bool, error) {
		s, out, err := f.findStore(ctx, p)
		if isGone(err) {
			if last = f.createStore(ctx, p); last != nil && !isTaken(last) {
				return false, explainFailure(last, "cloudfront:CreateKeyValueStore", f.resourceName(p))
			}
			s, out, err = f.findStore(ctx, p)
		}
		switch {
		case isGone(err): // not known everywhere yet
			return false, nil
		case err != nil:
			return false, explainFailure(err, "cloudfront:DescribeKeyValueStore", f.resourceName(p))
		case sdk.ToString(out.KeyValueStore.Status) != "READY":
			last = fmt.Errorf("its status is still %s", sdk.ToString(out.KeyValueStore.Status))
			return false, nil
		}
		ready = f.rememberStore(p, s)
		return true, nil
	})
	if errors.Is(err, retry.ErrNotReady) {
		err = explainFailure(cmp.Or(last, err), "cloudfront:CreateKeyValueStore", f.resourceName(p))
	}
	return ready, err
}

func (f *Front) createStore(ctx context.Context, p anchor.Project) error {
	_, err := f.CloudFront.CreateKeyValueStore(ctx, &cloudfront.CreateKeyValueStoreInput{
		Name: sdk.String(f.resourceName(p)), Comment: sdk.String(string(p.ID)), Tags: f.tagList(p),
	})
	return err
}

// noteDistribution stores the distribution's id where a process without memory finds it in the one call that
// it makes anyway.
func (f *Front) noteDistribution(ctx context.Context, p anchor.Project, s *store, distribution string) error {
	s.mu.Lock()
	known := s.distribution
	s.mu.Unlock()
	if known == distribution {
		return nil
	}
	err := f.settleWrite(ctx, func() error {
		_, out, err := f.findStore(ctx, p)
		if err != nil {
			return err
		}
		_, err = f.CloudFront.UpdateKeyValueStore(ctx, &cloudfront.UpdateKeyValueStoreInput{
			Name: sdk.String(s.name), IfMatch: out.ETag, Comment: sdk.String(string(p.ID) + " " + distribution),
		})
		return err
	})
	if err != nil {
		return explainFailure(err, "cloudfront:UpdateKeyValueStore", s.name)
	}
	s.mu.Lock()
	s.distribution = distribution
	s.mu.Unlock()
	return nil
}

// readStore reads the store's ETag and then what is live: in this order, so that a write in between
// makes ours fail instead of going unnoticed.
func (f *Front) readStore(ctx context.Context, s *store) error {
	etag, err := f.readETag(ctx, s)
	if err != nil {
		return err
	}
	live, err := f.readLive(ctx, s)
	if err != nil {
		return err
	}
	s.keepSeen(etag, live)
	return nil
}

func (s *store) keepSeen(etag string, live pointer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.etag, s.live = etag, live
}

// readETag forgets a store that no longer exists.
func (f *Front) readETag(ctx context.Context, s *store) (string, error) {
	now, err := f.KeyValueStore.DescribeKeyValueStore(ctx, &cloudfrontkeyvaluestore.DescribeKeyValueStoreInput{KvsARN: sdk.String(s.arn)})
	if isGone(err) {
		f.dropStore(s.project)
	}
	if err != nil {
		return "", explainFailure(err, "cloudfront-keyvaluestore:DescribeKeyValueStore", s.name)
	}
	return sdk.ToString(now.ETag), nil
}

func (f *Front) readLive(ctx context.Context, s *store) (pointer, error) {
	var live pointer
	value, found, err := f.get(ctx, s, liveKey)
	if err != nil || !found {
		return live, err
	}
	if err := json.Unmarshal([]byte(value), &live); err != nil {
		return live, explainFailure(fmt.Errorf("its key %q holds %q: %w", liveKey, value, err), "cloudfront-keyvaluestore:GetKey", s.name)
	}
	return live, nil
}

func (f *Front) get(ctx context.Context, s *store, key string) (value string, found bool, err error) {
	out, err := f.KeyValueStore.GetKey(ctx, &cloudfrontkeyvaluestore.GetKeyInput{KvsARN: sdk.String(s.arn), Key: sdk.String(key)})
	if isGone(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, explainFailure(err, "cloudfront-keyvaluestore:GetKey", s.name)
	}
	return sdk.ToString(out.Value), true, nil
}

// changePointer applies what decide makes of the live pointer, and repeats that when others wrote first.
func (f *Front) changePointer(ctx context.Context, s *store, decide func(live pointer) (edit, error)) error {
	return f.settleStore(ctx, s, func() error { return f.applyChange(ctx, s, decide) })
}

// settleStore writes to the store, and repeats that when others wrote first.
func (f *Front) settleStore(ctx context.Context, s *store, do func() error) error {
	err := f.settleWrite(ctx, do)
	if isGone(err) {
		f.dropStore(s.project)
	}
	return explainFailure(err, "cloudfront-keyvaluestore:UpdateKeys", s.name)
}

// applyChange is one attempt at a change. A refusal never relies only on what is remembered.
func (f *Front) applyChange(ctx context.Context, s *store, decide func(live pointer) (edit, error)) error {
	etag, live, err := f.readSnapshot(ctx, s)
	if err != nil {
		return err
	}
	e, err := decide(live)
	if err != nil {
		if err := f.readStore(ctx, s); err != nil {
			return err
		}
		if etag, live, err = f.readSnapshot(ctx, s); err != nil {
			return err
		}
		e, err = decide(live)
	}
	if err != nil || e.isEmpty() {
		return err
	}
	return f.writeKeys(ctx, s, etag, live, e)
}

func (f *Front) readSnapshot(ctx context.Context, s *store) (string, pointer, error) {
	s.mu.Lock()
	etag, live := s.etag, s.live
	s.mu.Unlock()
	if etag != "" {
		return etag, live, nil
	}
	if err := f.readStore(ctx, s); err != nil {
		return "", pointer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.etag, s.live, nil
}

func (f *Front) writeKeys(ctx context.Context, s *store, etag string, live pointer, e edit) error {
	in := &cloudfrontkeyvaluestore.UpdateKeysInput{KvsARN: sdk.String(s.arn), IfMatch: sdk.String(etag)}
	for key, value := range e.puts {
		in.Puts = append(in.Puts, types.PutKeyRequestListItem{Key: sdk.String(key), Value: sdk.String(value)})
	}
	for _, key := range e.deletes {
		in.Deletes = append(in.Deletes, types.DeleteKeyRequestListItem{Key: sdk.String(key)})
	}
	if e.live != nil {
		live = *e.live
		value, err := json.Marshal(live)
		if err != nil {
			return fmt.Errorf("encode the live pointer: %w", err)
		}
		in.Puts = append(in.Puts, types.PutKeyRequestListItem{Key: sdk.String(liveKey), Value: sdk.String(string(value))})
	}
	out, err := f.KeyValueStore.UpdateKeys(ctx, in)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		// Also when the answer was lost: then the store has to be read.
		s.etag = ""
		return err
	}
	s.etag, s.live = sdk.ToString(out.ETag), live
	return nil
}

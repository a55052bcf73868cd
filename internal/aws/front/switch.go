package front

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// Switch is a change of the deployment that is live in CloudFront, with the store's ETag as
// Prepare read it.
type Switch struct {
	front       *Front
	project     anchor.Project
	store, etag string // of the store; "" when it was not read
}

// Prepare reads what Commit needs to be one call, even if other processes wrote to the store
// last: only its ETag, in one call. The Switch is valid for the revision that the pointer was
// moved to, or seen at, after Prepare returned, and for no other.
//
// Such a Commit need not know what the store has live. The store follows the pointer, whose
// revision only grows. So when its ETag was read, the store held a revision that the pointer had
// already reached, and none newer than the pointer reached later. Any newer revision moved the
// pointer after that, was then written to the store, and so changed the ETag: Commit's write
// fails, and it reads the store, ETag first. It does the same when the ETag was already old when
// it was read.
//
// The ETag is stored in the Switch and not in the Front, because a concurrent Follow of an older
// pointer must not use it.
func (f *Front) Prepare(ctx context.Context, p anchor.Project) (Switch, error) {
	s, err := f.store(ctx, p)
	if err != nil {
		return Switch{}, err
	}
	etag, err := f.readETag(ctx, s)
	if isGone(err) { // the known store no longer exists; there may be another
		if s, err = f.store(ctx, p); err != nil {
			return Switch{}, err
		}
		etag, err = f.readETag(ctx, s)
	}
	return Switch{front: f, project: p, store: s.arn, etag: etag}, err
}

// PrepareNoted is Prepare without a call, with what ETag returned after the last write of another process.
// It reports false when the project's store is not known to be the one with that ARN. The ETag may
// be old: the store may have changed since, or be gone. Commit finds that out and reads what it needs. A write
// that succeeds has met the store as it was noted, so what Prepare says of an ETag holds for it.
func (f *Front) PrepareNoted(p anchor.Project, arn, etag string) (Switch, bool) {
	f.mu.Lock()
	s := f.stores[p.ID]
	f.mu.Unlock()
	if s == nil || etag == "" || s.arn != arn {
		return Switch{}, false
	}
	return Switch{front: f, project: p, store: arn, etag: etag}, true
}

// ETag returns the ARN of the project's store and its ETag after this process' last read or write, "" when
// it knows none.
func (f *Front) ETag(p anchor.ProjectID) (arn, etag string) {
	f.mu.Lock()
	s := f.stores[p]
	f.mu.Unlock()
	if s == nil {
		return "", ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arn, s.etag
}

// Refresh discards what earlier calls remembered and reads it again, for a Follow of an earlier
// release.
func (f *Front) Refresh(ctx context.Context, p anchor.Project) error {
	s, err := f.store(ctx, p)
	if err != nil {
		return err
	}
	return f.readStore(ctx, s)
}

// Follow commits a Switch for which nothing was read.
func (f *Front) Follow(ctx context.Context, p anchor.Project, live anchor.Live) error {
	return Switch{front: f, project: p}.Commit(ctx, live)
}

// Commit makes CloudFront follow the pointer. It never returns to an older revision: then it does
// nothing. A store in which the deployment is live already may refuse the write of the newer
// revision: so a switch can be undone although the cause of its failure persists.
func (s Switch) Commit(ctx context.Context, live anchor.Live) error {
	err := s.commit(ctx, live)
	if isGone(err) && s.etag != "" { // the store that was noted no longer exists; there may be another
		s.etag = ""
		err = s.commit(ctx, live)
	}
	return err
}

func (s Switch) commit(ctx context.Context, live anchor.Live) error {
	f := s.front
	at, err := f.store(ctx, s.project)
	if err != nil {
		return err
	}
	to := pointerOf(live)
	known := s.etag != "" && s.store == at.arn
	var read pointer
	err = f.settleStore(ctx, at, func() error {
		if known {
			known = false
			return f.writeKeys(ctx, at, s.etag, to, edit{live: &to})
		}
		return f.applyChange(ctx, at, func(now pointer) (edit, error) {
			if read = now; now.Revision >= to.Revision {
				return edit{}, nil
			}
			return edit{live: &to}, nil
		})
	})
	if err != nil && read.sameTraffic(to) {
		f.Log.WarnContext(ctx, "CloudFront serves the live deployment, but its store cannot be written", "store", at.name, "cause", err.Error())
		return nil
	}
	return err
}

// Purge removes everything that CloudFront cached of the project, once for each release: when
// repeated, CloudFront returns the existing invalidation. It does not wait until the invalidation
// has reached all edges.
func (f *Front) Purge(ctx context.Context, p anchor.Project, live anchor.Live) error {
	s, err := f.store(ctx, p)
	if err != nil {
		return err
	}
	id, err := f.distributionOf(ctx, p, s)
	if err != nil {
		return err
	}
	return explainFailure(f.createInvalidation(ctx, id, string(live.Release)), "cloudfront:CreateInvalidation", "the distribution "+id)
}

// createInvalidation retries while the account has too many invalidations in progress.
func (f *Front) createInvalidation(ctx context.Context, distribution, reference string) error {
	return retry.Do(ctx, f.retries, func() error {
		_, err := f.CloudFront.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
			DistributionId: sdk.String(distribution),
			InvalidationBatch: &types.InvalidationBatch{
				CallerReference: sdk.String(reference),
				// "/*" counts as one path, whatever it matches.
				Paths: &types.Paths{Quantity: sdk.Int32(1), Items: []string{"/*"}},
			},
		})
		if awserr.Crowded(err) {
			return retry.Again(err)
		}
		return err
	})
}

package front

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// Switch is a change of what CloudFront has live, with the store's ETag as Prepare read it.
type Switch struct {
	front       *Front
	project     anchor.Project
	store, etag string // of which store; "" when it was not read
}

// Prepare reads what makes Commit one call, even if other processes wrote to the store
// last: its ETag alone, in one call. The Switch is for the revision that the pointer was
// moved to, or seen at, after Prepare returned, and for no other.
//
// Such a Commit need not know what the store has live. The store follows the pointer,
// which only grows: what the store held when its ETag was read was a revision that the
// pointer had had by then, and so none that is newer than what the pointer got to later.
// Whatever is newer than that moved the pointer after it, was written to the store after
// that, and so changed the ETag: Commit's write fails, and it reads the store, ETag first.
// With an ETag that was old already when it was read it does the same.
//
// The ETag travels in the Switch instead of staying here, because a Follow of another
// caller, of what the pointer was at before, must not use it.
func (f *Front) Prepare(ctx context.Context, p anchor.Project) (Switch, error) {
	s, err := f.store(ctx, p)
	if err != nil {
		return Switch{}, err
	}
	etag, err := f.readETag(ctx, s)
	if gone(err) { // the store that was known no longer exists; there may be another
		if s, err = f.store(ctx, p); err != nil {
			return Switch{}, err
		}
		etag, err = f.readETag(ctx, s)
	}
	return Switch{front: f, project: p, store: s.arn, etag: etag}, err
}

// Refresh drops what earlier calls remembered and reads it again, for a Follow of a release
// from before it.
func (f *Front) Refresh(ctx context.Context, p anchor.Project) error {
	s, err := f.store(ctx, p)
	if err != nil {
		return err
	}
	return f.read(ctx, s)
}

// Follow is the Commit of a Switch that nothing was read for.
func (f *Front) Follow(ctx context.Context, p anchor.Project, live anchor.Live) error {
	return Switch{front: f, project: p}.Commit(ctx, live)
}

// Commit makes CloudFront follow the pointer. It never goes back to an older revision:
// then it does nothing.
func (s Switch) Commit(ctx context.Context, live anchor.Live) error {
	f := s.front
	at, err := f.store(ctx, s.project)
	if err != nil {
		return err
	}
	to := pointer{Revision: live.Revision, Deployment: live.Deployment}
	known := s.etag != "" && s.store == at.arn
	return f.settled(ctx, at, func() error {
		if known {
			known = false
			return f.write(ctx, at, s.etag, to, edit{live: &to})
		}
		return f.apply(ctx, at, func(now pointer) (edit, error) {
			if now.Revision >= to.Revision {
				return edit{}, nil
			}
			return edit{live: &to}, nil
		})
	})
}

// Purge drops all that CloudFront cached of the project, once a release: asked again,
// CloudFront gives the invalidation it has. It does not wait for the invalidation to
// have reached everywhere.
func (f *Front) Purge(ctx context.Context, p anchor.Project, live anchor.Live) error {
	s, err := f.store(ctx, p)
	if err != nil {
		return err
	}
	id, err := f.distributionOf(ctx, p, s)
	if err != nil {
		return err
	}
	return failed(f.invalidate(ctx, id, string(live.Release)), "cloudfront:CreateInvalidation", "the distribution "+id)
}

// invalidate backs off while the account has too many invalidations in progress.
func (f *Front) invalidate(ctx context.Context, distribution, reference string) error {
	for attempt := 0; ; attempt++ {
		_, err := f.CloudFront.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
			DistributionId: sdk.String(distribution),
			InvalidationBatch: &types.InvalidationBatch{
				CallerReference: sdk.String(reference),
				// "/*" counts as one path, whatever it stands for.
				Paths: &types.Paths{Quantity: sdk.Int32(1), Items: []string{"/*"}},
			},
		})
		if !awserr.Crowded(err) || attempt == attempts {
			return err
		}
		if err := f.pause(ctx, attempt); err != nil {
			return err
		}
	}
}

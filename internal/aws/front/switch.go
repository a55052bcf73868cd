package front

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// Ahead is what Ready read, for the Switch of one release. The zero value is of no store.
type Ahead struct{ store, etag string }

// Ready reads what makes Switch one call, whoever wrote to the store last: its ETag
// alone, in one call. It is for the Switch to what the pointer was moved to, or seen at,
// after Ready returned, and for no other.
//
// Such a Switch need not know what the store has live. The store follows the pointer,
// which only grows: what the store held when its ETag was read was a revision that the
// pointer had had by then, and so none that is newer than what the pointer got to later.
// Whatever is newer than that moved the pointer after it, was written to the store after
// that, and so changed the ETag: the Switch fails, and reads anew, ETag first. With an
// ETag that was old already when it was read it does the same.
//
// The ETag is handed over instead of kept here, because a Switch of another caller, to
// what the pointer was at before, must not meet it.
func (f *Front) Ready(ctx context.Context, p anchor.Project) (Ahead, error) {
	s, err := f.store(ctx, p)
	if err != nil {
		return Ahead{}, err
	}
	etag, err := f.readETag(ctx, s)
	if gone(err) { // what was known is a store that is no more; there may be another
		if s, err = f.store(ctx, p); err != nil {
			return Ahead{}, err
		}
		etag, err = f.readETag(ctx, s)
	}
	return Ahead{s.arn, etag}, err
}

// Look forgets what earlier calls learned and reads it anew, for a Switch to a release
// from before it.
func (f *Front) Look(ctx context.Context, p anchor.Project) error {
	s, err := f.store(ctx, p)
	if err != nil {
		return err
	}
	return f.read(ctx, s)
}

// Switch makes CloudFront follow the pointer. It never goes back to an older revision:
// then it does nothing. ahead is what a Ready gave that ended before the pointer was moved
// to live or seen there, or the zero value.
func (f *Front) Switch(ctx context.Context, p anchor.Project, live anchor.Live, ahead Ahead) error {
	s, err := f.store(ctx, p)
	if err != nil {
		return err
	}
	to := pointer{Revision: live.Revision, Deployment: live.Deployment}
	known := ahead.etag != "" && ahead.store == s.arn
	return f.settled(ctx, s, func() error {
		if known {
			known = false
			return f.write(ctx, s, ahead.etag, to, edit{live: &to})
		}
		return f.apply(ctx, s, func(now pointer) (edit, error) {
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

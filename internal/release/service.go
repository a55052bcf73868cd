package release

import (
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Result is what a promote or rollback did.
type Result struct {
	Record          anchor.Deployment // the rollback's own record, or the promoted deployment
	Live            anchor.Live       // the pointer now
	PreviousVersion string            // the version label that was live before, "" if none
	Took            time.Duration     // from the call to traffic moved
}

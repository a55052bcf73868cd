package front

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Tab is a deployment that browser tabs which loaded it may use while another one is live.
type Tab struct {
	SkewID     string // what requests of such tabs name
	Deployment anchor.DeploymentID
	Until      time.Time // zero for the deployment that is live
}

// tabsKey is the key of the record of Tabs.
const tabsKey = "tabs"

// tabsRecord is Tabs as viewer-request.js reads them: skew id, deployment, and the second at which
// the time is over, 0 for the deployment that was live at the revision.
type tabsRecord struct {
	Revision int64    `json:"r"`
	Tabs     [][3]any `json:"t"`
}

// maxTabs keeps the record within a few values of the store: viewer-request.js has little time.
const maxTabs = 40

// PutTabs stores what open tabs may use at a revision of the pointer, most recently live first. It
// is not part of a switch, which has no call to spare: the next switch finds the deployment that it
// replaces among these. So viewer-request.js takes a record of its pointer's revision or of the one
// before; if its pointer forces a reload, only one of its own. A record of a newer revision stays.
func (f *Front) PutTabs(ctx context.Context, p anchor.Project, revision int64, tabs []Tab) error {
	s, err := f.store(ctx, p)
	if err != nil {
		return err
	}
	r := tabsRecord{Revision: revision, Tabs: [][3]any{}}
	for _, t := range tabs[:min(len(tabs), maxTabs)] {
		until := int64(0)
		if !t.Until.IsZero() {
			until = t.Until.Unix()
		}
		r.Tabs = append(r.Tabs, [3]any{t.SkewID, t.Deployment, until})
	}
	puts, err := splitValue(tabsKey, r)
	if err != nil {
		return err
	}
	return f.changePointer(ctx, s, func(pointer) (edit, error) {
		_, text, err := f.readPieces(ctx, s, tabsKey)
		if err != nil {
			return edit{}, err
		}
		var stored tabsRecord
		if text != "" {
			if err := json.Unmarshal([]byte(text), &stored); err != nil {
				return edit{}, explainFailure(fmt.Errorf("its key %q holds %q: %w", tabsKey, text, err), "cloudfront-keyvaluestore:GetKey", s.name)
			}
		}
		if stored.Revision > revision {
			return edit{}, nil
		}
		return edit{puts: puts}, nil
	})
}

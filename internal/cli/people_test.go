package cli

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
)

// TestPeople_FromInvitationToRemoval runs the commands about people, tokens and the audit log.
func TestPeople_FromInvitationToRemoval(t *testing.T) {
	a := apitest.New(t, apitest.Options{})
	if err := a.Access.EnsureOwner(t.Context(), "owner"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ANCHOR_URL", apitest.Serve(t, a.Services(), api.Options{}, nil))
	t.Setenv("ANCHOR_TOKEN", apitest.AdminToken)
	for _, step := range []struct {
		args string
		code int
		want string // in both outputs
	}{
		{"projects create shop", 0, ""},
		{"people", 0, `(?m)^owner +owner +invited`},
		{"people invite Ada --role developer", 0, `Invited Ada[\s\S]*http://127\.0\.0\.1:\d+/dashboard/sign-in\?link=anchorlink_`},
		{"people invite Bob --in shop=viewer", 0, ""},
		{"people list", 0, `(?m)^Bob +- \+1 +invited`},
		{"people invite Ada --role viewer", 1, `already exists`},
		{"people invite Eve", 2, `needs a role`},
		{"people invite Eve --role king", 2, `viewer, developer, admin or owner`},
		{"people invite Eve --in shop=owner", 2, `PROJECT=ROLE`},
		{"people invite Eve --in nowhere=viewer", 3, `no project`},
		{"people set Ada --role admin --in shop=viewer", 0, "Stored the roles of Ada"},
		{"people set Tom --role admin", 3, `no person "Tom"`},
		{"people set owner --role admin", 1, `nobody would be an owner`},
		{"people link Ada", 0, `/dashboard/sign-in\?link=`},
		{"people remove Ada", 0, "Removed Ada"},
		{"tokens create ci --scope deploy --for-project shop --expires 24h", 0, `anchor_`},
		{"tokens create ci --expires -1h", 2, `must be positive`},
		{"tokens create ci --for-project nowhere", 3, `no project`},
		{"open --dashboard", 0, `^http://127\.0\.0\.1:\d+/dashboard/sign-in\?link=anchorlink_\S+\n$`},
		{"open --dashboard 01m8jc6481sk664t10n0m3yy03", 2, `leave out the ID`},
		{"audit --limit 0", 2, `from 1 to 200`},
		{"audit", 0, `(?s)remove-person +Ada.*set-person +Ada.*invite-person +Bob.*create-project +shop`},
		{"audit --project shop", 0, `create-project +shop`},
		{"audit --by nobody", 0, ""},
		{"audit --json", 0, `"before": "\{`},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), strings.Fields(step.args), IOStreams{In: strings.NewReader(""), Out: &out, Err: &errs, Width: 80}, Parts{})
		if all := errs.String() + out.String(); code != step.code || !regexp.MustCompile(step.want).MatchString(all) {
			t.Errorf("anchor %s ends with %d:\n%s", step.args, code, all)
		}
	}
}

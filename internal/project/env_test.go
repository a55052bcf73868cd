package project_test

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/project/secret"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

func environment(t *testing.T) (*project.Env, *memory.Store, anchor.ProjectID, anchor.DeploymentID) {
	t.Helper()
	s, store, _ := service(t)
	box, err := secret.Open(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	p := create(t, s, "shop")
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID, Status: anchor.Deploying}
	if err := store.CreateDeployment(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return project.NewEnv(project.EnvPorts{Variables: store, Box: box}, project.EnvOptions{Now: func() time.Time { return time.UnixMilli(7) }}), store, p.ID, d.ID
}

var production = anchor.EnvScope{Environment: anchor.EnvProduction, Branch: "main"}

func set(t *testing.T, e *project.Env, p anchor.ProjectID, name, value string, phase anchor.EnvPhase) {
	t.Helper()
	if err := e.Set(t.Context(), p, []anchor.EnvVar{{Name: name, Value: value, For: phase}}); err != nil {
		t.Fatal(err)
	}
}

// returns fails the test unless got equals want.
func returns[T any](t *testing.T, want T) func(got T, err error) {
	return func(got T, err error) {
		t.Helper()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("error %v (-want +got):\n%s", err, diff)
		}
	}
}

func TestEnv_List_RevealsSealedValues(t *testing.T) {
	e, store, p, _ := environment(t)
	set(t, e, p, "API_KEY", "s3cret", anchor.EnvRun)
	rows, err := store.EnvRows(t.Context(), p)
	if err != nil || len(rows) != 1 || strings.Contains(rows[0].Value, "s3cret") {
		t.Errorf("kept: %+v, %v", rows, err)
	}
	v := anchor.EnvVar{Name: "API_KEY", For: anchor.EnvRun, UpdatedAt: 7}
	returns(t, []anchor.EnvVar{v})(e.List(t.Context(), p, false))
	v.Value = "s3cret"
	returns(t, []anchor.EnvVar{v})(e.List(t.Context(), p, true))
}

func TestEnv_Set_Phases(t *testing.T) {
	e, _, p, d := environment(t)
	set(t, e, p, "B", "build", anchor.EnvBuild)
	set(t, e, p, "R", "run", anchor.EnvRun)
	set(t, e, p, "X", "both", anchor.EnvBoth)
	forBuild, err := e.ForBuild(t.Context(), p, production)
	delete(forBuild, project.ActionsKey)
	returns(t, map[string]string{"B": "build", "X": "both"})(forBuild, err)
	returns(t, map[string]string{"R": "run", "X": "both"})(e.Lock(t.Context(), p, d, production, nil))
}

// The most specific variable of a name counts, and phases are those of that variable.
func TestEnv_ForRun_ChoosesByEnvironmentAndBranch(t *testing.T) {
	e, store, p, d := environment(t)
	preview := func(branch string) anchor.EnvScope {
		return anchor.EnvScope{Environment: anchor.EnvPreview, Branch: branch}
	}
	for _, v := range []anchor.EnvVar{
		{Name: "A", Value: "x", Environment: anchor.EnvPreview, Branch: "feature/x"},
		{Name: "A", Value: "all"},
		{Name: "A", Value: "preview", Environment: anchor.EnvPreview},
		{Name: "P", Value: "production", Environment: anchor.EnvProduction},
		{Name: "M", Value: "main", Environment: anchor.EnvPreview, Branch: "main"},
	} {
		v.For = anchor.EnvRun
		if err := e.Set(t.Context(), p, []anchor.EnvVar{v}); err != nil {
			t.Fatal(err)
		}
	}
	returns(t, map[string]string{"A": "all", "P": "production"})(e.ForRun(t.Context(), p, production))
	returns(t, map[string]string{"A": "x"})(e.ForRun(t.Context(), p, preview("feature/x")))
	returns(t, map[string]string{"A": "preview"})(e.ForRun(t.Context(), p, preview("other")))
	system := map[string]string{"ANCHOR_ENV": "preview"}
	returns(t, map[string]string{"A": "x", "ANCHOR_ENV": "preview"})(e.Lock(t.Context(), p, d, preview("feature/x"), system))
	if err := e.Remove(t.Context(), p, anchor.EnvSlot{Name: "A", Environment: anchor.EnvPreview}); err != nil {
		t.Fatal(err)
	}
	returns(t, map[string]string{"A": "all"})(e.ForRun(t.Context(), p, preview("other")))

	// A value opens in its own slot only.
	rows, err := store.EnvRows(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		rows[i].Environment, rows[i].Branch = anchor.EnvPreview, "other"
	}
	if err := store.PutEnv(t.Context(), p, rows); err != nil {
		t.Fatal(err)
	}
	if got, err := e.ForRun(t.Context(), p, preview("other")); err == nil {
		t.Errorf("the value of another branch opens: %v", got)
	}
}

func TestEnv_Lock_KeepsValues(t *testing.T) {
	e, _, p, d := environment(t)
	set(t, e, p, "A", "old \xff", anchor.EnvRun)
	old := map[string]string{"A": "old \xff"}
	_, err := e.Locked(t.Context(), d)
	if anchor.KindOf(err) != anchor.KindNotFound {
		t.Errorf("before: %v", err)
	}
	returns(t, old)(e.Lock(t.Context(), p, d, production, nil))
	set(t, e, p, "A", "new", anchor.EnvRun)
	set(t, e, p, "B", "new", anchor.EnvRun)
	returns(t, old)(e.Lock(t.Context(), p, d, production, nil))
	if err := e.Remove(t.Context(), p, anchor.EnvSlot{Name: "A"}); err != nil {
		t.Fatal(err)
	}
	returns(t, old)(e.Locked(t.Context(), d))
	_, err = e.Lock(t.Context(), p, "unknown", production, nil)
	fails(t, err, anchor.KindNotFound, "unknown_deployment")
}

func TestEnv_Lock_Empty(t *testing.T) {
	e, _, p, d := environment(t)
	returns(t, map[string]string{})(e.Lock(t.Context(), p, d, production, nil))
	set(t, e, p, "A", "new", anchor.EnvRun)
	returns(t, map[string]string{})(e.Lock(t.Context(), p, d, production, nil))
}

func TestEnv_List_SwappedValues(t *testing.T) {
	e, store, p, _ := environment(t)
	set(t, e, p, "A", "a", anchor.EnvRun)
	rows, err := store.EnvRows(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	rows[0].Name = "B"
	if err := store.PutEnv(t.Context(), p, rows); err != nil {
		t.Fatal(err)
	}
	if got, err := e.List(t.Context(), p, true); err == nil {
		t.Errorf("the value of A opens as B's: %+v", got)
	}
	returns(t, 2)(count(e.List(t.Context(), p, false)))
}

func count(vars []anchor.EnvVar, err error) (int, error) { return len(vars), err }

func TestEnv_Set_RefusesAllForOne(t *testing.T) {
	e, _, p, _ := environment(t)
	good := anchor.EnvVar{Name: "GOOD", Value: "1", For: anchor.EnvRun}
	for code, bad := range map[string]anchor.EnvVar{
		"bad_env":      {Name: "1BAD", For: anchor.EnvRun},
		"reserved_env": {Name: "CACHE_BUCKET_NAME", For: anchor.EnvRun},
	} {
		fails(t, e.Set(t.Context(), p, []anchor.EnvVar{good, bad}), anchor.KindInvalid, code)
	}
	fails(t, e.Set(t.Context(), p, []anchor.EnvVar{good, good}), anchor.KindInvalid, "bad_env")
	var many []anchor.EnvVar
	for i := range 101 {
		many = append(many, anchor.EnvVar{Name: fmt.Sprintf("V%d", i), For: anchor.EnvRun})
	}
	fails(t, e.Set(t.Context(), p, many), anchor.KindTooLarge, "too_many_env")
	returns(t, 0)(count(e.List(t.Context(), p, false)))
	fails(t, e.Set(t.Context(), "unknown", []anchor.EnvVar{good}), anchor.KindNotFound, "unknown_project")
	fails(t, e.Remove(t.Context(), p, anchor.EnvSlot{Name: "GOOD"}), anchor.KindNotFound, "unknown_env")
}

// A tab of an earlier build can call Server Actions of a later one only if both were built with the
// same key.
func TestEnv_ForBuild_OneActionsKeyForEachProject(t *testing.T) {
	e, _, p, d := environment(t)
	keyOf := func(p anchor.ProjectID) string {
		t.Helper()
		values, err := e.ForBuild(t.Context(), p, production)
		if err != nil {
			t.Fatal(err)
		}
		return values[project.ActionsKey]
	}
	key := keyOf(p)
	if raw, err := base64.StdEncoding.DecodeString(key); err != nil || len(raw) != 32 {
		t.Errorf("%q is not an AES-256 key in base64: %v", key, err)
	}
	if again := keyOf(p); again != key {
		t.Errorf("it is %q and then %q", key, again)
	}
	if other := keyOf("other"); other == key {
		t.Error("another project has the same key")
	}
	returns(t, map[string]string{})(e.Lock(t.Context(), p, d, production, nil))
	returns(t, 0)(count(e.List(t.Context(), p, true)))
	set(t, e, p, project.ActionsKey, "mine", anchor.EnvBuild)
	if got := keyOf(p); got != "mine" {
		t.Errorf("the user has set a key, and builds get %q", got)
	}
}

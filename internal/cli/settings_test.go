package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestApplySettings(t *testing.T) {
	s, err := applySettings(anchor.Settings{}, []string{
		"memory=2048", "vpc.subnets=subnet-01234567,subnet-89abcdef", "vpc.securityGroups=sg-01234567", "tags.cost.center=a=b",
		"functions.v1.api.memory=512", "functions.api.vpc.subnets=subnet-01234567", "functions.api.vpc.securityGroups=sg-01234567", "alarms.errors=3",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"memory": "2048", "vpc.subnets": "subnet-01234567,subnet-89abcdef", "vpc.securityGroups": "sg-01234567", "tags.cost.center": "a=b",
		"functions.v1.api.memory": "512", "functions.api.vpc.subnets": "subnet-01234567", "functions.api.vpc.securityGroups": "sg-01234567", "alarms.errors": "3",
	}
	if diff := cmp.Diff(want, flatSettings(s)); diff != "" {
		t.Error(diff)
	}
	var none []string
	for name := range want {
		none = append(none, name+"=none")
	}
	// A network goes as a whole: its two halves are taken away in one command.
	if s, err = applySettings(s, none); err != nil || !s.IsZero() {
		t.Errorf("with none for all there is %+v, %v", s, err)
	}
}

func TestApplySettings_Refuses(t *testing.T) {
	for arg, want := range map[string]string{
		"memory": "NAME=VALUE", "=1": "NAME=VALUE", "memory=": "NAME=VALUE", "memory=2G": "a whole number", "memory=1": "memory is 1",
		"colour=1": "colour", "functions.api=1": "functions is a number", "architecture=amd64": "amd64", "timeout=99999999999": "a whole number",
	} {
		if _, err := applySettings(anchor.Settings{}, []string{arg}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", arg, err, want)
		}
	}
}

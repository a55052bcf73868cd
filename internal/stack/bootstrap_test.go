package stack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/awstest"
	"github.com/anchor-deploy/anchor/internal/stack"
)

func TestBootstrapFromNothingAndAgain(t *testing.T) {
	cloud := awstest.MiniStack(t)
	var steps []string
	c := config(t, cloud)
	c.Watch = func(e stack.Event) {
		if e.Done {
			steps = append(steps, e.Step)
		}
	}
	i, b := bootstrapped(t, c)
	if !b.Created || b.Version != "v1.2.0" || !strings.HasPrefix(b.APIURL, "http") || len(b.Changes) < 30 {
		t.Errorf("bootstrapped: %+v", b)
	}
	if want := []string{"Bucket", "Key", "Handlers", "Changes", "Stack"}; !slices.Equal(steps, want) {
		t.Errorf("the steps are %v, want %v", steps, want)
	}
	key := cloud.CLI(t, "ssm", "get-parameter", "--name", "/anchor/key", "--with-decryption")
	again, err := i.Bootstrap(t.Context(), stack.BootstrapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if again.Created || len(again.Changes) != 0 || again.APIURL != b.APIURL {
		t.Errorf("bootstrapped again: %+v", again)
	}
	if now := cloud.CLI(t, "ssm", "get-parameter", "--name", "/anchor/key", "--with-decryption"); now != key {
		t.Errorf("the key was %s and is %s", key, now)
	}
}

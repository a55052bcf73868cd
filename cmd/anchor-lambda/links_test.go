package main

import (
	"os/exec"
	"strings"
	"testing"
)

// foreign lists packages of the other platform, which would only make cold starts longer.
var foreign = []string{
	"modernc.org/sqlite", "github.com/mholt/acmez", "github.com/quic-go/quic-go", "github.com/spf13/cobra",
	"github.com/anchor-deploy/anchor/internal/local/edge", "github.com/anchor-deploy/anchor/internal/worker",
	"github.com/anchor-deploy/anchor/internal/local/acme", "github.com/anchor-deploy/anchor/internal/isr",
	"github.com/anchor-deploy/anchor/internal/local/sqlite", "github.com/anchor-deploy/anchor/internal/local/sites",
	"github.com/anchor-deploy/anchor/internal/local/server", "github.com/anchor-deploy/anchor/internal/cli",
	"net/rpc", "testing",
}

func TestHandlers_LinkOnlyTheirPlatform(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-tags", "lambda.norpc", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	linked := strings.Fields(string(out))
	if len(linked) < 100 {
		t.Fatalf("go list prints %d packages only", len(linked))
	}
	for _, pkg := range linked {
		for _, f := range foreign {
			if pkg == f || strings.HasPrefix(pkg, f+"/") {
				t.Errorf("the handlers link %s", pkg)
			}
		}
	}
}

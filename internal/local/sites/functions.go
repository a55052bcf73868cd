package sites

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Publish assigns every function its version and makes the deployment reachable under its own host.
// Versions of one deployment share its number.
func (p *Platform) Publish(ctx context.Context, a deploy.Artifact, note deploy.Note) (map[string]anchor.FunctionVersion, error) {
	number, err := p.Records.Number(ctx, a.Deployment.ID)
	if err != nil {
		return nil, fmt.Errorf("number the versions: %w", err)
	}
	d, err := p.sealedDescription(ctx, a)
	if err != nil {
		return nil, err
	}
	if d.Runtime, err = p.chooseNode(ctx, a, note); err != nil {
		return nil, err
	}
	if err := p.dataFolder().writeJSON(p.dataFolder().descriptionPath(d.Deployment), d); err != nil {
		return nil, err
	}
	if err := p.openSite(d, a.Env); err != nil {
		return nil, err
	}
	versions := make(map[string]anchor.FunctionVersion, len(a.Build.Functions))
	for _, f := range a.Build.Functions {
		versions[f.Name] = anchor.FunctionVersion{
			Version:    strconv.FormatInt(number, 10),
			VersionARN: fmt.Sprintf("arn:anchor:local:%s:function:%s:%d", a.Project.Slug, f.Name, number),
			CodeSha256: codeSha256(a, f),
		}
	}
	note("version %d of %d functions", number, len(versions))
	return versions, nil
}

// codeSha256 stands in for Lambda's: it covers the names and digests of the bundle's files, so
// equal code has an equal sum.
func codeSha256(a deploy.Artifact, f anchor.Function) string {
	h := sha256.New()
	for _, file := range a.Manifest.Files {
		if below, found := strings.CutPrefix(file.Path, f.Dir+"/"); found {
			io.WriteString(h, below+"\x00"+string(file.Digest)+file.Link+"\n")
		}
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func (p *Platform) describeArtifact(a deploy.Artifact) Description {
	return Description{
		Deployment: a.Deployment.ID,
		Project:    a.Project.ID,
		Slug:       a.Project.Slug,
		Dir:        a.Dir,
		Build:      a.Build,
		Owner:      a.Project,
		Record:     a.Deployment,
	}
}

// sealedDescription returns the description of the deployment with its sealed environment.
func (p *Platform) sealedDescription(ctx context.Context, a deploy.Artifact) (Description, error) {
	d := p.describeArtifact(a)
	d.BranchLabel = p.branchLabel(d)
	sealed, err := p.Secrets.Sealed(ctx, a.Deployment.ID)
	if err != nil && !errors.Is(err, anchor.ErrNotFound) {
		return d, fmt.Errorf("read the deployment's environment: %w", err)
	}
	d.Sealed = sealed
	return d, nil
}

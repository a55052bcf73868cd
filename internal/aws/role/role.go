// Package role creates the execution role of each project: what its functions may do. A role
// reaches the objects, tables, queue, logs and distribution of its own project and no others. The
// permissions boundary that the stack creates bounds all of them: the handler that writes the
// roles cannot create one that may do more.
package role

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// Path is the IAM path of all roles of projects. The stack's own roles are not below it.
const Path = "/anchor/"

// policyName is the name of a role's only inline policy.
const policyName = "site"

// Config holds what Roles needs. Remove needs only IAM and Installation.
type Config struct {
	IAM          *iam.Client
	Installation string // prefix of every name
	Region       string
	AssetsBucket string
	Boundary     string // ARN of the permissions boundary: arn:aws:iam::<account>:policy/…
	Distribution string // id of an existing distribution that the installation names, or ""
}

// Roles creates and removes the roles. It is safe for concurrent use.
type Roles struct{ Config }

// New returns the roles of an installation. It makes no call.
func New(c Config) *Roles { return &Roles{c} }

// Access is what a project's functions need.
type Access struct {
	Project   anchor.Project
	Functions []string // names in Lambda, whose logs the role writes
	Queue     string   // name of the project's queue
	VPC       bool     // some function has network interfaces
	KMSKey    string   // ARN of the key of the environment variables, or ""
}

// Name returns the name of a project's role. It contains the project's id and not its slug: roles
// belong to the whole account, where another region may have an installation of the same name.
func (r *Roles) Name(p anchor.ProjectID) string { return r.Installation + "-" + string(p) }

// ARN returns the ARN of a project's role.
func (r *Roles) ARN(p anchor.ProjectID) string {
	partition, account := r.place()
	return "arn:" + partition + ":iam::" + account + ":role" + Path + r.Name(p)
}

// place reads partition and account from the boundary's ARN.
func (r *Roles) place() (partition, account string) {
	part := strings.Split(r.Boundary, ":")
	if len(part) < 6 {
		return "aws", ""
	}
	return part[1], part[4]
}

// Ensure creates the project's role, or updates its policy, and returns its ARN. Functions that the
// policy names already stay in it, because earlier deployments may have them. It makes one call when
// nothing differs.
func (r *Roles) Ensure(ctx context.Context, a Access) (arn string, err error) {
	if r.Boundary == "" {
		return "", anchor.Failed("no_boundary", "the deploy handler does not know the permissions boundary of the projects' roles").
			Hintf("Run anchor aws bootstrap again: its template sets ANCHOR_SITE_BOUNDARY.")
	}
	name := r.Name(a.Project.ID)
	have, err := r.readPolicy(ctx, name)
	if isMissing(err) {
		have, err = Policy{}, r.create(ctx, a.Project)
	}
	if err != nil {
		return "", explain(err, "create the role "+name)
	}
	a.Functions = append(slices.Clone(a.Functions), loggedFunctions(have)...)
	slices.Sort(a.Functions)
	a.Functions = slices.Compact(a.Functions)
	want := r.Policy(a)
	if reflect.DeepEqual(have, want) {
		return r.ARN(a.Project.ID), nil
	}
	text, err := json.Marshal(want)
	if err != nil {
		return "", fmt.Errorf("encode the policy of the role %s: %w", name, err)
	}
	_, err = r.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: &name, PolicyName: sdk.String(policyName), PolicyDocument: sdk.String(string(text)),
	})
	if err != nil {
		return "", explain(err, "write the policy of the role "+name)
	}
	return r.ARN(a.Project.ID), nil
}

// readPolicy returns a role's policy. Its error is NoSuchEntity when the role or the policy does not
// exist.
func (r *Roles) readPolicy(ctx context.Context, name string) (Policy, error) {
	out, err := r.IAM.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: sdk.String(policyName)})
	if err != nil {
		return Policy{}, err
	}
	text := sdk.ToString(out.PolicyDocument)
	if !strings.HasPrefix(text, "{") { // IAM returns it URL-encoded (IAM API, GetRolePolicy)
		if decoded, err := url.PathUnescape(text); err == nil {
			text = decoded
		}
	}
	var p Policy
	if ours := json.Unmarshal([]byte(text), &p) == nil; !ours {
		return Policy{}, nil // somebody else wrote it; it is replaced
	}
	return p, nil
}

// assume is the trust policy of a role that Lambda runs functions as.
const assume = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func (r *Roles) create(ctx context.Context, p anchor.Project) error {
	tag := func(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }
	_, err := r.IAM.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: sdk.String(r.Name(p.ID)), Path: sdk.String(Path), AssumeRolePolicyDocument: sdk.String(assume),
		PermissionsBoundary: &r.Boundary, Description: sdk.String("Functions of the project " + p.Slug + " of " + r.Installation),
		Tags: []types.Tag{tag("Project", p.Slug), tag("ManagedBy", "anchor-deploy"), tag("Installation", r.Installation)},
	})
	var exists *types.EntityAlreadyExistsException
	if errors.As(err, &exists) {
		return nil
	}
	return err
}

// Remove deletes a project's role. It is idempotent.
func (r *Roles) Remove(ctx context.Context, p anchor.ProjectID) error {
	name := r.Name(p)
	_, err := r.IAM.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: sdk.String(policyName)})
	if err == nil || isMissing(err) {
		_, err = r.IAM.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &name})
	}
	if err == nil || isMissing(err) {
		return nil
	}
	return explain(err, "delete the role "+name)
}

func isMissing(err error) bool {
	var missing *types.NoSuchEntityException
	return errors.As(err, &missing)
}

// explain returns an error that says what could not be done.
func explain(err error, what string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if awserr.Denied(err) {
		return anchor.Failed("aws_denied", "AWS refused to %s: %s is not allowed", what, awserr.Action(err)).
			Hintf("Run anchor aws bootstrap again, which grants it. If it fails again, a policy of your organization denies it.").Because(err)
	}
	return anchor.Failed("aws_failed", "AWS did not %s", what).
		Hintf("Deploy again. If it fails again, the cause says what to change.").Because(err)
}

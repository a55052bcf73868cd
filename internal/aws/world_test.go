package aws_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/aws/artifacts"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
	"github.com/anchor-deploy/anchor/internal/aws/front/fronttest"
	"github.com/anchor-deploy/anchor/internal/aws/function/functiontest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/project/secret"
)

const (
	assetsBucket    = "anchor-assets"
	artifactsBucket = "anchor-artifacts"
)

var tables = dynamo.TablesOf("anchor")

// installation is an account with the stack's resources, and one process that works on it.
type installation struct {
	*awstest.Cloud
	s3       *s3.Client
	lambda   *lambda.Client
	store    *dynamo.Store
	bundles  *artifacts.Store
	env      *project.Env
	platform *aws.Platform
	client   *http.Client    // reaches function URLs
	front    *http.Transport // connects to CloudFront, whatever the host
	probe    time.Duration   // limit of a probe; 0 is the platform's own
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	return installationWith(t, 0)
}

func installationWith(t *testing.T, probe time.Duration) *installation {
	t.Helper()
	in := &installation{Cloud: awstest.MiniStack(t), probe: probe}
	in.client = functiontest.Client(t, in.Endpoint)
	in.s3, in.lambda = s3.NewFromConfig(in.Config()), lambda.NewFromConfig(in.Config())
	for _, bucket := range []string{assetsBucket, artifactsBucket} {
		_, err := in.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{
			Bucket:                    sdk.String(bucket),
			CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: awstest.Region},
		})
		must(t, awstest.Made(err))
	}
	in.makeTables(t)
	_, err := scheduler.NewFromConfig(in.Config()).CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{Name: sdk.String("anchor")})
	must(t, awstest.Made(err))
	in.bundles, err = artifacts.Open(artifacts.Config{S3: in.s3, Bucket: artifactsBucket, Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, in.bundles.Close()) })
	box, err := secret.Open(filepath.Join(t.TempDir(), "secret.key"))
	must(t, err)
	in.env = project.NewEnv(project.EnvPorts{Variables: in.store, Box: box}, project.EnvOptions{})
	in.platform = in.process(t, in.Config())
	in.serve(t)
	return in
}

// serve makes the test's CloudFront listen on a socket.
func (in *installation) serve(t *testing.T) {
	t.Helper()
	edge := httptest.NewServer(fronttest.New(t, in.Cloud))
	t.Cleanup(edge.Close)
	functiontest.Front(t, in.Endpoint, edge.URL)
	in.front = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", edge.Listener.Addr().String())
	}}
	t.Cleanup(in.front.CloseIdleConnections)
}

func (in *installation) makeTables(t *testing.T) {
	t.Helper()
	client := dynamodb.NewFromConfig(in.Config())
	for _, table := range dynamo.Schema() {
		table.TableName = sdk.String("anchor-" + *table.TableName)
		_, err := client.CreateTable(t.Context(), &table)
		must(t, awstest.Made(err))
	}
	in.store = dynamo.New(client, tables)
}

// process returns the platform of another process, which remembers nothing.
func (in *installation) process(t *testing.T, c sdk.Config) *aws.Platform {
	t.Helper()
	return in.with(t, func(own *aws.Config) { own.AWS = c })
}

// with returns the platform of another process with a changed configuration. Its records are
// those that change sets, or the installation's.
func (in *installation) with(t *testing.T, change func(*aws.Config)) *aws.Platform {
	t.Helper()
	store := func(c sdk.Config) *dynamo.Store { return dynamo.New(dynamodb.NewFromConfig(c), tables) }
	c := aws.Config{
		AWS: in.Config(), Installation: "anchor", AssetsBucket: assetsBucket, ArtifactsBucket: artifactsBucket,
		Boundary:    "arn:aws:iam::" + in.Account + ":policy/anchor-sites",
		CronHandler: "arn:aws:lambda:" + awstest.Region + ":" + in.Account + ":function:anchor-crons",
		CronRole:    "arn:aws:iam::" + in.Account + ":role/anchor-schedules",
		Key:         bytes.Repeat([]byte{7}, 32),
		HTTP:        in.client, ProbeLimit: in.probe,
	}
	change(&c)
	c.Settings, c.Leases, c.Crons = store(c.AWS), store(c.AWS), store(c.AWS)
	if c.Notes == nil {
		c.Notes = store(c.AWS)
	}
	if c.Records == nil {
		c.Records = store(c.AWS)
	}
	p, err := aws.New(c)
	must(t, err)
	return p
}

func (in *installation) harness() platformtest.Harness {
	return platformtest.Harness{
		Platform: in.platform, Records: in.store, Bundles: in.bundles, Env: in.env,
		Do:         in.front.RoundTrip,
		ReadCache:  in.readCache,
		WriteCache: in.writeCache,
		Sizes:      in.sizes,
		Reopen:     func(t *testing.T) platformtest.Platform { return in.process(t, in.Config()) },
	}
}

// sizes asks Lambda by its own client.
func (in *installation) sizes(t *testing.T, function string) (memory, timeout int32) {
	t.Helper()
	name := "anchor-shop-" + function
	if function == anchor.ServerFunction {
		name = "anchor-shop-server"
	}
	c, err := in.lambda.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &name, Qualifier: sdk.String(anchor.LiveAlias)})
	must(t, err)
	return *c.MemorySize, *c.Timeout
}

// cacheKey returns the key under which OpenNext's functions find an entry; it begins with
// CACHE_BUCKET_KEY_PREFIX.
func (in *installation) cacheKey(ctx context.Context, d anchor.DeploymentID, key string) (*string, error) {
	record, err := in.store.Deployment(ctx, d)
	return sdk.String("cache/" + string(record.ProjectID) + "/" + string(d) + "/" + key), err
}

func (in *installation) readCache(ctx context.Context, d anchor.DeploymentID, key string) (string, error) {
	at, err := in.cacheKey(ctx, d, key)
	if err != nil {
		return "", err
	}
	out, err := in.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: sdk.String(assetsBucket), Key: at})
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(out.Body)
	return string(text), errors.Join(err, out.Body.Close())
}

func (in *installation) writeCache(ctx context.Context, d anchor.DeploymentID, key, content string) error {
	at, err := in.cacheKey(ctx, d, key)
	if err != nil {
		return err
	}
	_, err = in.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: sdk.String(assetsBucket), Key: at, Body: strings.NewReader(content)})
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	lambdasdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/aws/artifacts"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	builds "github.com/anchor-deploy/anchor/internal/aws/codebuild"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
	"github.com/anchor-deploy/anchor/internal/aws/lambda"
	"github.com/anchor-deploy/anchor/internal/aws/logtail"
	"github.com/anchor-deploy/anchor/internal/domains/dnscheck"
	"github.com/anchor-deploy/anchor/internal/project/secret"
)

// settings are the values that the template sets in the handlers' environment.
type settings struct {
	handler, version, installation                  string
	keyParameter, deployer, buildProject            string
	boundary, siteRole                              string
	cronHandler, cronRole                           string // ARNs
	projects, deployments, domains, assets, uploads string
	site                                            aws.Site
	secrets                                         aws.Generations
	logDays, skewHours                              int
	codeCommit                                      []string // ARNs of the repositories that builds may clone
}

func read(env func(string) string) (s settings, err error) {
	s = settings{
		handler: cmp.Or(env("ANCHOR_HANDLER"), env("_HANDLER")), version: env("ANCHOR_VERSION"), installation: env("ANCHOR_INSTALLATION"),
		keyParameter: env("ANCHOR_KEY_PARAMETER"), boundary: env("ANCHOR_SITE_BOUNDARY"), siteRole: env("ANCHOR_FUNCTION_ROLE"), deployer: env("ANCHOR_DEPLOY_FUNCTION"),
		cronHandler: env("ANCHOR_CRONS_FUNCTION"), cronRole: env("ANCHOR_CRONS_ROLE"),
		buildProject: env("ANCHOR_BUILD_PROJECT"), projects: env("PROJECTS_TABLE"), deployments: env("DEPLOYMENTS_TABLE"),
		site: aws.Site{
			ServerFunction: env("SERVER_FUNCTION_NAME"), ImageFunction: env("IMAGE_FUNCTION_NAME"),
			Distribution: env("CLOUDFRONT_DISTRIBUTION_ID"), Domain: env("CLOUDFRONT_DOMAIN"),
		},
		domains: env("DOMAINS_TABLE"), assets: env("STATIC_ASSETS_BUCKET"), uploads: env("ARTIFACTS_BUCKET"),
	}
	if list := env("ANCHOR_BUILD_REPOSITORIES"); list != "" {
		s.codeCommit = strings.Split(list, ",")
	}
	var missing []string
	for name, value := range map[string]string{
		"ANCHOR_INSTALLATION": s.installation, "ANCHOR_KEY_PARAMETER": s.keyParameter,
		"ANCHOR_DEPLOY_FUNCTION": s.deployer, "ANCHOR_BUILD_PROJECT": s.buildProject, "PROJECTS_TABLE": s.projects,
		"DEPLOYMENTS_TABLE": s.deployments, "DOMAINS_TABLE": s.domains, "STATIC_ASSETS_BUCKET": s.assets, "ARTIFACTS_BUCKET": s.uploads,
	} {
		if value == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return s, anchor.Invalid("no_settings", "the environment lacks %s", strings.Join(missing, ", ")).
			Hintf("Run anchor aws bootstrap again: its template sets them.")
	}
	// Templates from before the secrets could rotate do not set it: the first secret is used.
	if secrets := env("ANCHOR_ORIGIN_SECRETS"); secrets != "" {
		if _, err := fmt.Sscanf(secrets, "%d-%d", &s.secrets.Oldest, &s.secrets.Newest); err != nil {
			return s, anchor.Invalid("bad_origin_secrets", "ANCHOR_ORIGIN_SECRETS is %q", secrets).
				Hintf("Run anchor aws bootstrap again: its template sets it, as OLDEST-NEWEST.").Because(err)
		}
	}
	if days := env("ANCHOR_LOG_DAYS"); days != "" { // set only for the handlers that create functions
		if s.logDays, err = strconv.Atoi(days); err != nil {
			return s, anchor.Invalid("bad_log_days", "ANCHOR_LOG_DAYS is %q", days).
				Hintf("Run anchor aws bootstrap again: its template sets it.").Because(err)
		}
	}
	if hours := env("ANCHOR_SKEW_HOURS"); hours != "" { // set only for the handler that keeps deployments
		if s.skewHours, err = strconv.Atoi(hours); err != nil {
			return s, anchor.Invalid("bad_skew_hours", "ANCHOR_SKEW_HOURS is %q", hours).
				Hintf("Run anchor aws bootstrap again: its template sets it.").Because(err)
		}
	}
	return s, nil
}

// open composes the handler that the environment names. Its only call reads the installation's
// key.
func open(ctx context.Context, env func(string) string) (lambda.Handler, error) {
	s, err := read(env)
	if err != nil {
		return nil, err
	}
	c, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(manyAtOnce()),
		config.WithRetryer(func() sdk.Retryer { return awserr.NewRetryer() }))
	if err != nil {
		return nil, fmt.Errorf("load the configuration of AWS: %w", err)
	}
	key, err := aws.ReadKey(ctx, c, s.keyParameter)
	if err != nil {
		return nil, err
	}
	parts, err := s.parts(c, key, &http.Client{Timeout: time.Minute})
	if err != nil {
		return nil, err
	}
	return lambda.Compose(parts).Named(s.handler)
}

// manyAtOnce returns a client that keeps as many connections to S3 open as files are sent at
// once. By default ten stay open, and every other file would need a handshake.
func manyAtOnce() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 128, 64
	})
}

// diagnosis bounds the diagnosis of one domain's DNS: a request has 30 s in all.
const diagnosis = 8 * time.Second

// parts returns what the handlers are made of; probes sends requests to the sites.
func (s settings) parts(c sdk.Config, key []byte, probes *http.Client) (lambda.Parts, error) {
	box, err := secret.New(key)
	if err != nil {
		return lambda.Parts{}, err
	}
	store := dynamo.New(dynamodb.NewFromConfig(c), dynamo.Tables{Projects: s.projects, Deployments: s.deployments, Domains: s.domains})
	artifacts, err := artifacts.Open(artifacts.Config{
		S3: s3.NewFromConfig(c), Bucket: s.uploads, Dir: filepath.Join(os.TempDir(), "artifacts"),
	})
	if err != nil {
		return lambda.Parts{}, err
	}
	cloud, err := aws.New(aws.Config{
		AWS: c, Installation: s.installation, AssetsBucket: s.assets, ArtifactsBucket: s.uploads, Boundary: s.boundary, FunctionRole: s.siteRole, LogDays: s.logDays, Site: s.site,
		Key: key, Secrets: s.secrets, Records: store, Settings: store, Notes: store, Leases: store, HTTP: probes,
		Crons: store, CronHandler: s.cronHandler, CronRole: s.cronRole,
		Tabs: time.Duration(s.skewHours) * time.Hour, Switched: lambda.AnnounceSwitches(lambdasdk.NewFromConfig(c), s.deployer),
	})
	if err != nil {
		return lambda.Parts{}, err
	}
	return lambda.Parts{
		Installation: s.installation, Version: s.version, Region: c.Region, Tabs: time.Duration(s.skewHours) * time.Hour,
		Store: store, Settings: store, Leases: store, Box: box, Cloud: cloud, Artifacts: artifacts,
		Domains: &lambda.Domains{Certificates: cloud.Domains(), Front: cloud.Domains(), Resolver: dnscheck.New(dnscheck.Config{Budget: diagnosis})},
		Builder: builds.Builder{
			Client: codebuild.NewFromConfig(c), Project: s.buildProject, Logs: cloudwatchlogs.NewFromConfig(c), Records: store,
			Parameters: ssm.NewFromConfig(c), Prefix: "/" + s.installation + "/builds/", Key: key,
			Caches: s.uploads, CodeCommit: s.codeCommit, Region: c.Region,
		},
		Logs:     logtail.New(logtail.Config{Logs: cloudwatchlogs.NewFromConfig(c), Records: store}),
		Dispatch: lambda.Dispatch(lambdasdk.NewFromConfig(c), s.deployer),
		Crons:    store, DispatchCron: lambda.DispatchCron(lambdasdk.NewFromConfig(c), s.cronHandler),
	}, nil
}

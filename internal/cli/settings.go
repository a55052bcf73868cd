package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

const settingNames = `  memory=MB                     128 to 10240; also sets the processor share
  timeout=SECONDS               1 to 900
  architecture=NAME             arm64 or x86_64
  runtime=NAME                  nodejs22.x or nodejs24.x
  vpc.subnets=ID,ID             with vpc.securityGroups=ID,ID
  tracing=active                AWS X-Ray records requests
  tracing=otel                  OpenTelemetry does, by a layer
  layers=ARN,ARN                versions of Lambda layers
  wrapper=PATH                  script of a layer, default /opt/otel-handler
  kmsKey=ARN                    encrypts environment variables and logs
  reservedConcurrency=N         of the server function
  provisionedConcurrency=N      instances of its live version, always started
  warmer=N                      instances of it that events keep started
  logRetentionDays=DAYS
  webAcl=ARN                    AWS WAF web ACL of scope CLOUDFRONT
  tags.NAME=VALUE
  alarms.errors=N               responses of 500 or more in five minutes
  alarms.throttles=N            refused invocations in five minutes
  alarms.durationMs=MS          the 95th percentile
  alarms.topic=ARN              SNS topic to notify
  functions.NAME.memory=MB      for one function; likewise timeout, vpc,
                                tracing, layers, wrapper, warmer and the
                                concurrency`

func (s *shell) setSettingsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "set NAME=VALUE...", Short: "Set settings for AWS; the ones that are not named stay", Args: cobra.ArbitraryArgs,
		Long: "Sets settings of a project on AWS. The value none removes a setting, which then\n" +
			"has its default. Those of the key aws in anchor.json take precedence.\n\n" + settingNames + "\n\n" +
			"Those up to kmsKey apply from the next deployment on, as part of its version;\n" +
			"the others are applied at once.",
		Example: "  anchor projects set memory=2048 timeout=60\n  anchor projects set functions.api.memory=512 tracing=none",
		RunE:    func(cmd *cobra.Command, args []string) error { return s.setSettings(cmd.Context(), args) },
	}
	return cmd
}

func (s *shell) settingsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "settings", Short: "Show the settings for AWS", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			settings, err := c.Settings(cmd.Context(), project)
			if err != nil {
				return err
			}
			return s.printResult(settings, func(w io.Writer) { s.settingTable(w, project, settings) })
		},
	}
}

func (s *shell) setSettings(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usagef("nothing to set; name settings, such as memory=2048; anchor projects settings shows them")
	}
	if _, err := applySettings(anchor.Settings{}, args); err != nil && !isIncomplete(err) {
		return err // before the server is asked
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	now, err := c.Settings(ctx, project)
	if err != nil {
		return err
	}
	settings, err := applySettings(now.Settings, args)
	if err != nil {
		return err
	}
	set, err := c.SetSettings(ctx, project, settings)
	if err != nil {
		return err
	}
	return s.printResult(set, func(w io.Writer) { s.settingTable(w, project, set) })
}

// isIncomplete reports whether an error may vanish with the settings that the server has.
func isIncomplete(err error) bool {
	text := err.Error()
	return strings.Contains(text, "vpc.") && strings.Contains(text, "has 0 ids") || strings.Contains(text, "alarms has no threshold") ||
		strings.Contains(text, "layers names no layer")
}

// listSettings and textSettings are the last parts of names whose values are lists and texts; those of
// the others are numbers.
var (
	listSettings = []string{"subnets", "securityGroups", "layers"}
	textSettings = []string{"architecture", "runtime", "tracing", "wrapper", "kmsKey", "webAcl", "topic"}
)

// applySettings returns the settings with those that args name, each NAME=VALUE, checked.
func applySettings(now anchor.Settings, args []string) (anchor.Settings, error) {
	text, err := json.Marshal(now)
	if err != nil {
		return now, err
	}
	all := map[string]any{}
	if err := json.Unmarshal(text, &all); err != nil {
		return now, err
	}
	for _, arg := range args {
		name, value, found := strings.Cut(arg, "=")
		if !found || name == "" || value == "" {
			return now, usagef("%q is not NAME=VALUE; the value none removes a setting", arg)
		}
		if err := setPath(all, settingPath(name), name, value); err != nil {
			return now, err
		}
	}
	if text, err = json.Marshal(all); err != nil {
		return now, err
	}
	return anchor.ParseSettings(text)
}

// settingPath splits a name at its dots. The name of a tag, and that of a function, may have dots
// itself.
func settingPath(name string) []string {
	if tag, found := strings.CutPrefix(name, "tags."); found {
		return []string{"tags", tag}
	}
	rest, found := strings.CutPrefix(name, "functions.")
	if !found {
		return strings.Split(name, ".")
	}
	cut := strings.LastIndexByte(rest, '.')
	if before, _, ok := strings.Cut(rest, ".vpc."); ok {
		cut = len(before)
	}
	if cut < 0 {
		return []string{"functions", rest}
	}
	return append([]string{"functions", rest[:cut]}, strings.Split(rest[cut+1:], ".")...)
}

// setPath sets the value at a path of nested objects, or removes it, and objects that become empty.
func setPath(in map[string]any, path []string, name, value string) error {
	if len(path) == 1 {
		if value == "none" {
			delete(in, path[0])
			return nil
		}
		v, err := settingValue(path[0], name, value)
		in[path[0]] = v
		return err
	}
	inner, ok := in[path[0]].(map[string]any)
	if !ok {
		inner = map[string]any{}
	}
	if err := setPath(inner, path[1:], name, value); err != nil {
		return err
	}
	in[path[0]] = inner
	if len(inner) == 0 {
		delete(in, path[0])
	}
	return nil
}

func settingValue(last, name, value string) (any, error) {
	switch {
	case strings.HasPrefix(name, "tags."), slices.Contains(textSettings, last):
		return value, nil
	case slices.Contains(listSettings, last):
		return strings.Split(value, ","), nil
	}
	if n, err := strconv.ParseInt(value, 10, 32); err == nil {
		return n, nil
	}
	return nil, usagef("%s is %q; it takes a whole number, or none", name, value)
}

func (s *shell) settingTable(w io.Writer, project string, p anchor.ProjectSettings) {
	set, effective := flatSettings(p.Settings), flatSettings(p.Effective)
	if len(effective) == 0 {
		fmt.Fprintf(w, "%s has no settings for AWS; everything has its default.\n", project)
		return
	}
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(effective)) {
		from := build.SettingsName
		if set[name] == effective[name] {
			from = "projects set"
		}
		rows = append(rows, []string{name, effective[name], from})
	}
	s.printTable(w, []string{"SETTING", "VALUE", "FROM"}, rows)
	if p.Failure != "" {
		fmt.Fprintln(w)
		printWrapped(w, "", "Some settings could not be applied: "+cleanText(p.Failure)+" They are tried again with the next deployment, and daily.")
	} else if p.AppliedAt != 0 {
		fmt.Fprintf(w, "\nSettings that need no deployment were applied last %s ago.\n", formatDuration(time.Since(time.UnixMilli(p.AppliedAt)).Truncate(time.Second)))
	}
}

// flatSettings returns the settings as set takes them: by name, with dots.
func flatSettings(settings anchor.Settings) map[string]string {
	flat := map[string]string{}
	text, err := json.Marshal(settings)
	if err != nil {
		return flat
	}
	var all map[string]any
	if json.Unmarshal(text, &all) == nil {
		flatten(flat, "", all)
	}
	return flat
}

func flatten(flat map[string]string, prefix string, in map[string]any) {
	for name, value := range in {
		switch value := value.(type) {
		case map[string]any:
			flatten(flat, prefix+name+".", value)
		case []any:
			var texts []string
			for _, v := range value {
				texts = append(texts, fmt.Sprint(v))
			}
			flat[prefix+name] = strings.Join(texts, ",")
		default:
			flat[prefix+name] = fmt.Sprint(value)
		}
	}
}

// noteUnused says which settings of anchor.json have no effect on the server.
func (d *deploying) noteUnused(ctx context.Context) {
	settings := d.target.tie.AWS
	if settings == nil || settings.IsZero() || d.json {
		return
	}
	status, err := d.client.Status(ctx)
	if err != nil || status.Platform == "aws" {
		return
	}
	printWrapped(d.Err, "", fmt.Sprintf("The key aws of %s has no effect on this server, which is not on AWS: %s.",
		build.SettingsName, strings.Join(settings.Names(), ", ")))
}

package function

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Limits of Lambda (Developer Guide, "Lambda quotas") and of SQS.
const (
	maxUnzipped = 250 << 20
	maxName     = 64
	maxEnv      = 4 << 10
	maxQueue    = 80
	// ownEnv is the space reserved for the variables that Anchor sets: names of the cache's
	// bucket and tables, the origin secret, the deployment.
	ownEnv = 1 << 10
)

// Check refuses what Lambda cannot run, before anything is changed. file are the settings that the
// artifact brings, and set those of the project.
func (f *Functions) Check(a deploy.Artifact, file, set anchor.Settings) error {
	if err := f.checkLaid(a); err != nil {
		return err
	}
	if err := f.checkFunctionNames(a, file); err != nil {
		return err
	}
	settings := file.Over(set)
	if err := f.checkSettings(settings); err != nil {
		return err
	}
	if len(settings.Warmed()) > 0 && !a.Build.Warmer {
		return anchor.Invalid("no_warmer", "the setting warmer is set, and the build has no warmer").
			Hintf("Builds of @opennextjs/aws 3 and later have one. Update it, or remove the setting from anchor.json, or with anchor projects set warmer=none")
	}
	_, _, err := architectureOf(a, settings)
	return err
}

// checkSettings refuses what both sources of settings say together, and layers that the functions cannot
// have.
func (f *Functions) checkSettings(s anchor.Settings) error {
	if err := anchor.CheckSettings(s); err != nil {
		return err
	}
	for _, own := range append(slices.Collect(maps.Values(s.Functions)), s.FunctionSettings) {
		for _, arn := range own.Layers {
			region := f.Lambda.Options().Region
			if parts := strings.Split(arn, ":"); parts[3] != region {
				return anchor.Invalid("layer_elsewhere", "the layer %s is in %s, and the functions are in %s", arn, parts[3], region).
					Hintf("Lambda accepts layers of the same region only: set layers to the layer's ARN in %s.", region)
			}
		}
	}
	return nil
}

// CheckManifest refuses an artifact before its files are sent, if Check would refuse it for the
// functions that its manifest shows, or for its environment.
func (f *Functions) CheckManifest(p anchor.Project, m artifact.Manifest, env map[string]string) error {
	functions := opennext.Laid(func(yield func(string) bool) {
		for _, file := range m.Files {
			if !yield(file.Path) {
				return
			}
		}
	})
	return f.checkLaid(deploy.Artifact{Project: p, Build: anchor.Build{Functions: functions}, Manifest: m, Env: env})
}

// checkLaid checks the functions, their files' names and sizes, and the environment.
func (f *Functions) checkLaid(a deploy.Artifact) error {
	parts := f.partsOf(a)
	if err := f.checkNames(a.Project, parts); err != nil {
		return err
	}
	for _, p := range parts {
		if size := p.unpackedSize(); size > maxUnzipped {
			return tooLarge(p.name, size)
		}
		if err := checkLinks(p.bundled); err != nil {
			return err
		}
		if p.middleware == nil {
			continue
		}
		if err := checkLinks(p.middleware.bundled); err != nil {
			return err
		}
	}
	return checkEnv(a.Env, maxEnv-ownEnv)
}

func tooLarge(name string, size int64) error {
	return anchor.TooLarge("function_too_large", "function %s is %d MB unpacked, and Lambda takes at most %d", name, (size+1<<20-1)>>20, maxUnzipped>>20).
		Hintf("Split it (functions in open-next.config.ts), or keep large files out of its trace: outputFileTracingExcludes in next.config.")
}

func (f *Functions) checkNames(p anchor.Project, parts []part) error {
	seen := map[string]string{}
	for _, part := range parts {
		if other, taken := seen[part.function]; taken {
			return anchor.Invalid("function_name_taken", "the functions %s and %s would have the same name on Lambda: %s", other, part.name, part.function).
				Hintf("Rename %s under functions in open-next.config.ts; server, image and revalidate are taken.", part.name)
		}
		seen[part.function] = part.name
		if len(part.function) > maxName {
			return anchor.Invalid("function_name_too_long", "the function %s would be %s on Lambda, which is over %d characters", part.name, part.function, maxName).
				Hintf("Choose a name of at most %d characters under functions in open-next.config.ts, or create the project again with a shorter slug.",
					max(1, maxName-len(f.namePrefix(p))))
		}
	}
	if queue := f.queueName(p); len(queue) > maxQueue {
		return anchor.Invalid("queue_name_too_long", "the project's queue would be %s, which is over %d characters", queue, maxQueue).
			Hintf("Choose a shorter name for the installation.")
	}
	return nil
}

// checkLinks refuses links that point out of the bundle, because a function contains nothing
// else.
func checkLinks(b bundled) error {
	for _, file := range b.files {
		target := path.Join(path.Dir(file.Path), file.Link)
		if file.Link != "" && (path.IsAbs(file.Link) || target == ".." || strings.HasPrefix(target, "../")) {
			return anchor.Invalid("link_leaves_bundle", "%s/%s points outside its function's bundle, to %s", b.dir, file.Path, file.Link).
				Hintf("Lambda receives only the bundle. Build with node-linker=hoisted, or bundle the package: transpilePackages in next.config.")
		}
	}
	return nil
}

// lambdaEnv matches the names of variables that Lambda accepts (API reference, Environment).
var lambdaEnv = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]+$`)

// checkEnv refuses variables that Lambda refuses, and more than limit bytes of them. Lambda
// measures them as JSON: its refusal shows the "String measured".
func checkEnv(vars map[string]string, limit int) error {
	total := len("{}")
	var names []string
	for name, value := range vars {
		if !lambdaEnv.MatchString(name) || strings.HasPrefix(name, "LAMBDA_") {
			return anchor.Invalid("bad_env", "Lambda does not allow the environment variable %s", name).
				Hintf("Rename it: at least two letters, digits and underscores, beginning with a letter, and not LAMBDA_.")
		}
		if strings.HasPrefix(name, "AWS_") && name != wrapperEnv {
			return anchor.Invalid("reserved_env", "%s cannot be set on this platform, because Lambda sets AWS_* itself and OpenNext's cache clients read it", name).
				Hintf("Remove it: `anchor env rm %s`. For an AWS client of the app, store the value under another name and pass it to the client's constructor.", name)
		}
		total += envSize(name, value)
		names = append(names, name)
	}
	if total <= limit {
		return nil
	}
	size := func(name string) int { return envSize(name, vars[name]) }
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(size(b), size(a)), cmp.Compare(a, b))
	})
	var biggest []string
	for _, name := range names[:min(3, len(names))] {
		biggest = append(biggest, fmt.Sprintf("%s (%d bytes)", name, size(name)))
	}
	return anchor.TooLarge("env_too_large", "the environment is %d bytes as JSON, and on Lambda there is room for %d; the biggest are %s", total, limit, strings.Join(biggest, ", ")).
		Hintf("Keep large values elsewhere, such as Secrets Manager, and read them at run time: `anchor env rm NAME`.")
}

// envSize returns the size of a variable in the environment's JSON, with colon and comma.
func envSize(name, value string) int { return quotedSize(name) + quotedSize(value) + len(":,") }

func quotedSize(text string) int {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil { // which happens for no text
		return len(text)
	}
	return b.Len() - len("\n")
}

// architectureOf returns the architecture that the settings name, or else the one that all native
// modules of the artifact run on, arm64 if both are possible. why says why it is not arm64.
func architectureOf(a deploy.Artifact, s anchor.Settings) (_ types.Architecture, why string, err error) {
	tree := os.DirFS(a.Dir)
	switch set := types.Architecture(s.Architecture); set {
	case types.ArchitectureArm64:
		return set, "", opennext.CheckNative(tree, "linux", "arm64")
	case types.ArchitectureX8664:
		return set, "the setting architecture says so", opennext.CheckNative(tree, "linux", "amd64")
	}
	arm := opennext.CheckNative(tree, "linux", "arm64")
	if arm == nil {
		return types.ArchitectureArm64, "", nil
	}
	x86 := opennext.CheckNative(tree, "linux", "amd64")
	switch {
	case x86 == nil:
		return types.ArchitectureX8664, arm.Error(), nil
	case anchor.CodeOf(x86) == anchor.CodeOf(arm) && anchor.CodeOf(arm) != "native_mismatch":
		return "", "", arm
	}
	return "", "", anchor.Invalid("native_mismatch", "no Lambda architecture can run all native modules of the build: on arm64, %v; on x86_64, %v", arm, x86).
		Hintf("Build all of them for one architecture. %s", anchor.HintOf(arm))
}

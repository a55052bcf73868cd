package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/atomicfile"
	"github.com/anchor-deploy/anchor/internal/local/sites"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// Status implements api.System.
func (a *app) Status(ctx context.Context) (wire.Status, error) {
	free, err := freeBytes(a.Data)
	if err != nil {
		return wire.Status{}, err
	}
	usage, err := a.bundles.Usage(ctx)
	if err != nil {
		return wire.Status{}, err
	}
	data, err := usedBytes(ctx, a.Data)
	if err != nil {
		return wire.Status{}, err
	}
	live, err := a.listServing(ctx)
	if err != nil {
		return wire.Status{}, err
	}
	here, target := a.describeReady(ctx), build.ThisMachine()
	return wire.Status{
		Version: a.Version, Platform: "local", UptimeMS: time.Since(a.started).Milliseconds(),
		Sites: here.SiteURL, API: here.APIURL, Data: a.Data, Node: a.runtimes.Default().Version, Isolation: a.describeIsolation(),
		Target: &wire.Machine{OS: target.OS, Arch: target.Arch, Libc: target.Libc},
		Disk: wire.Disk{
			FreeBytes: free, ArtifactBytes: usage.Bytes, DataBytes: data, Shelved: a.platform.Shelved(), Trashed: usage.Trash,
		},
		Live: live, Workers: a.listWorkers(), HTTP3: a.describeHTTP3(),
	}, nil
}

func (a *app) listServing(ctx context.Context) ([]wire.Serving, error) {
	lives, err := a.store.Lives(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]wire.Serving, 0, len(lives))
	for _, live := range lives {
		p, err := a.store.Project(ctx, live.ProjectID)
		if errors.Is(err, anchor.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		url, _ := a.URLs(p, "")
		all = append(all, wire.Serving{
			Project: wire.Project{Project: p, URL: url}, DeploymentID: live.Deployment, Version: live.Version,
			DividedSince: live.DividedSince, Split: api.DescribeSplit(live, a.shifter),
		})
	}
	return all, nil
}

func (a *app) listWorkers() []wire.Worker {
	stats := a.platform.Stats()
	all := make([]wire.Worker, len(stats))
	for i, st := range stats {
		all[i] = wire.Worker{
			DeploymentID: st.Deployment, Slug: st.Slug, Function: st.Function,
			Processes: st.Processes, Starting: st.Starting, InFlight: st.InFlight, Queued: st.Queued,
			Restarts: st.Restarts, MemoryBytes: st.RSS, MemoryKills: a.platform.LimitUsage(st.Project).MemoryKills,
		}
	}
	return all
}

func freeBytes(dir string) (uint64, error) {
	free, _, err := atomicfile.Space(dir)
	return free, err
}

// usedBytes returns the bytes that the files below dir take on the disk. It counts files with
// several names once.
func usedBytes(ctx context.Context, dir string) (total int64, err error) {
	seen := map[uint64]bool{}
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		var info fs.FileInfo
		if err == nil {
			info, err = entry.Info()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return fmt.Errorf("measure the size of %s: %w", dir, err)
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || stat.Nlink > 1 && !entry.IsDir() && seen[stat.Ino] {
			return nil
		}
		if stat.Nlink > 1 {
			seen[stat.Ino] = true
		}
		total += stat.Blocks * 512 // stat(2): whatever the block size is
		return nil
	})
	return total, err
}

// scarce is the free space below which the doctor warns: room for about a dozen
// artifacts.
const scarce = 1 << 30

// Doctor implements api.System.
func (a *app) Doctor(ctx context.Context) []wire.Check {
	slow := []wire.Check{a.checkNode(ctx), a.checkSites(ctx), a.checkIsolation(), a.checkAddresses(), a.checkGit(ctx)}
	return append(slow, a.quickChecks(ctx)...)
}

// quickChecks are the checks that read few files and start no program, and whose result can change while the server runs: alerts report them, too.
func (a *app) quickChecks(ctx context.Context) []wire.Check {
	checks := []wire.Check{a.checkData(), a.checkDisk(), a.checkLimits(ctx), a.checkNames(ctx)}
	if a.pages != nil && a.PageDiskMiB > 0 {
		checks = append(checks, a.checkPages())
	}
	if a.secure != nil && !a.HTTPS.NoHTTP3 {
		checks = append(checks, a.checkHTTP3())
	}
	if a.admin.name != "" {
		checks = append(checks, a.checkAdmin())
	}
	if a.provider != nil {
		checks = append(checks, a.checkProvider(ctx))
	}
	if _, wanted := a.wildcardName(); wanted {
		checks = append(checks, a.checkWildcard())
	}
	return checks
}

func (a *app) checkNode(ctx context.Context) wire.Check {
	c := wire.Check{Name: "Node.js"}
	node, err := worker.FindNode(ctx, a.runtimes.Default().Path)
	if err != nil {
		c.Detail, c.Hint = err.Error(), anchor.HintOf(nodeMissing(err))
		return c
	}
	c.OK, c.Detail = true, node.Version+" at "+node.Path
	if problem := a.runtimes.Problem(); problem != "" {
		c.Detail += ". " + problem
	}
	return c
}

func (a *app) checkData() wire.Check {
	c := wire.Check{Name: "Data folder", Detail: a.Data}
	try := filepath.Join(a.Data, ".doctor")
	if err := os.WriteFile(try, nil, 0o600); err != nil {
		c.Detail, c.Hint = err.Error(), "Make the folder writable by the user that runs Anchor."
		return c
	}
	os.Remove(try)
	c.OK = true
	return c
}

func (a *app) checkDisk() wire.Check {
	c := wire.Check{Name: "Disk space"}
	free, err := freeBytes(a.Data)
	if err != nil {
		c.Detail, c.Hint = err.Error(), "Check the disk, for example with df."
		return c
	}
	c.OK = free >= scarce
	c.Detail = fmt.Sprintf("%.1f GB free", float64(free)/1e9)
	if !c.OK {
		c.Hint = "Free some space, or keep fewer deployments with anchor up --keep N."
	}
	return c
}

// checkSites reads the files of every live site. A repaired fault is reported once: the next check
// finds nothing.
func (a *app) checkSites(ctx context.Context) wire.Check {
	c := wire.Check{Name: "Live sites"}
	sites, err := a.platform.Examine(ctx)
	if err != nil {
		c.Detail, c.Hint = err.Error(), "Check the disk that holds the data folder, and its records."
		return c
	}
	var details, hints []string
	for _, h := range sites {
		if h.Well() {
			continue
		}
		detail, hint := siteFinding(h)
		details, hints = append(details, detail), append(hints, hint)
	}
	if c.OK = len(details) == 0; c.OK {
		c.Detail = fmt.Sprintf("%s, all files unchanged since the upload", countNoun(len(sites), "site"))
		return c
	}
	c.Detail, c.Hint = strings.Join(details, "; "), strings.Join(slices.Compact(hints), " ")
	return c
}

func siteFinding(h sites.Health) (detail, hint string) {
	detail = fmt.Sprintf("%s: %s of deployment %s missing or damaged", h.Project.Slug, countNoun(h.Damaged, "file"), h.Deployment)
	switch {
	case h.Err != nil:
		return fmt.Sprintf("%s: deployment %s is incomplete: %v", h.Project.Slug, h.Deployment, h.Err),
			"Deploy the same commit again, or roll back with anchor rollback."
	case h.Left > 0:
		return fmt.Sprintf("%s, %d of them not restorable", detail, h.Left),
			"Deploy the same commit again, or roll back with anchor rollback."
	}
	return detail + ", restored just now", "Run anchor doctor again to verify the files, and find out what damaged them."
}

// checkNames checks whether a site's host name points to this machine.
func (a *app) checkNames(ctx context.Context) wire.Check {
	host := "anchor-doctor." + a.BaseDomain
	c := wire.Check{Name: "Host names"}
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		c.Detail = host + " does not resolve here"
		if a.BaseDomain == "localhost" {
			c.Detail = "browsers resolve *.localhost by themselves; other programs may not"
		}
		c.Hint = "Browsers resolve *.localhost by themselves; curl needs --resolve. For another base domain, set a wildcard DNS record *." + a.BaseDomain + "."
		c.OK = a.BaseDomain == "localhost"
		return c
	}
	c.OK, c.Detail = true, fmt.Sprintf("%s resolves to %s", host, addresses[0])
	return c
}

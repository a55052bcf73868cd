package dynamo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// address locates an item. A sort key is never empty, because DynamoDB refuses that: each begins
// with the kind of the item.
type address struct{ table, pk, sk string }

// The common prefixes of sort keys.
const (
	listedPrefix  = "DEPLOY#" // from before there was an Order
	orderPrefix   = "ORDER#"
	keptPrefix    = "KEPT#"
	eventPrefix   = "EVENT#"
	releasePrefix = "RELEASE#"
	hostPrefix    = "HOST#"

	cronPrefix      = "CRON#"
	cronRunPrefix   = "CRONRUN#"
	cronPausePrefix = "CRONPAUSE#"
	cronLockPrefix  = "CRONLOCK#"
)

// removedPrefix begins the partition key of an id that was deleted.
const removedPrefix = "REMOVED#"

// The partitions that hold one kind of item for all projects.
const (
	allProjects   = "PROJECT"
	allLives      = "LIVE"
	allTokens     = "TOKEN"
	allUnfinished = "UNFINISHED"
	allHosts      = "HOST"
)

func ofProject(p anchor.ProjectID) string       { return "PROJECT#" + string(p) }
func ofDeployment(d anchor.DeploymentID) string { return "DEPLOY#" + string(d) }

// sortableNumber formats n so that texts sort as the numbers do.
func sortableNumber(n int64) string { return fmt.Sprintf("%019d", n) }

func (t Tables) projectKey(p anchor.ProjectID) address {
	return address{t.Projects, allProjects, "PROJECT#" + string(p)}
}

// slugKey is the address of a copy of the project, which never changes.
func (t Tables) slugKey(slug string) address { return address{t.Projects, "SLUG", "SLUG#" + slug} }

func (t Tables) liveKey(p anchor.ProjectID) address {
	return address{t.Projects, allLives, "LIVE#" + string(p)}
}

func (t Tables) releaseKey(p anchor.ProjectID, revision int64) address {
	return address{t.Projects, ofProject(p), releasePrefix + sortableNumber(revision)}
}

// releaseID is the address of the item that reserves the release's id.
func (t Tables) releaseID(id anchor.ReleaseID) address {
	return address{t.Projects, "RELEASE", releasePrefix + string(id)}
}

func (t Tables) envKey(p anchor.ProjectID) address { return address{t.Projects, ofProject(p), "ENV"} }

// valueKey is the address of a large value of the variable, as written by the set.
func (t Tables) valueKey(p anchor.ProjectID, set, name string) address {
	return address{t.Projects, ofProject(p), "VALUE#" + set + "#" + name}
}

// noteKey is an address in the project's partition, so deleting the project deletes the note.
func (t Tables) noteKey(p anchor.ProjectID) address { return address{t.Projects, ofProject(p), "NOTE"} }

// settingsKey is an address in the project's partition, so deleting the project deletes its settings.
func (t Tables) settingsKey(p anchor.ProjectID) address {
	return address{t.Projects, ofProject(p), "SETTINGS"}
}

// cronKey is the address of the time up to which the runs of a cron are accounted for.
func (t Tables) cronKey(p anchor.ProjectID, c anchor.Cron) address {
	return address{t.Projects, ofProject(p), cronPrefix + shortDigest(c.Path+"\x00"+c.Schedule)}
}

func (t Tables) cronRunKey(p anchor.ProjectID, run string) address {
	return address{t.Projects, ofProject(p), cronRunPrefix + run}
}

func (t Tables) cronPauseKey(p anchor.ProjectID, path string) address {
	return address{t.Projects, ofProject(p), cronPausePrefix + shortDigest(path)}
}

func (t Tables) cronLockKey(p anchor.ProjectID, path string) address {
	return address{t.Projects, ofProject(p), cronLockPrefix + shortDigest(path)}
}

// shortDigest stands for a text that a key has no room for.
func shortDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

func (t Tables) leaseKey(p anchor.ProjectID) address {
	return address{t.Projects, "LEASE", "LEASE#" + string(p)}
}

// tokenID is the address of the hash of a token, which in turn locates the token.
func (t Tables) tokenID(id string) address { return address{t.Projects, allTokens, "TOKEN#" + id} }

func (t Tables) tokenKey(hash []byte) address {
	return address{t.Projects, "SHA256", "SHA256#" + hex.EncodeToString(hash)}
}

func (t Tables) recordKey(d anchor.DeploymentID) address {
	return address{t.Deployments, ofDeployment(d), "RECORD"}
}

// journalKey is the address of the counter of the deployment's events.
func (t Tables) journalKey(d anchor.DeploymentID) address {
	return address{t.Deployments, ofDeployment(d), "JOURNAL"}
}

func (t Tables) eventKey(d anchor.DeploymentID, seq int64) address {
	return address{t.Deployments, ofDeployment(d), eventPrefix + sortableNumber(seq)}
}

func (t Tables) lockedEnv(d anchor.DeploymentID) address {
	return address{t.Deployments, ofDeployment(d), "ENV"}
}

// buildKey is the address of the note about the deployment's build.
func (t Tables) buildKey(d anchor.DeploymentID) address {
	return address{t.Deployments, ofDeployment(d), "BUILD"}
}

// cronFunctionsKey is the address of the functions that answer the deployment's crons.
func (t Tables) cronFunctionsKey(d anchor.DeploymentID) address {
	return address{t.Deployments, ofDeployment(d), "CRONS"}
}

// orderedKey is the address of the item that names a deployment of the project by its Order.
func (t Tables) orderedKey(p anchor.ProjectID, order int64) address {
	return address{t.Deployments, ofProject(p), orderPrefix + sortableNumber(order)}
}

func (t Tables) keptKey(p anchor.ProjectID, d anchor.DeploymentID) address {
	return address{t.Deployments, ofProject(p), keptPrefix + string(d)}
}

func (t Tables) unfinishedKey(d anchor.DeploymentID) address {
	return address{t.Deployments, allUnfinished, listedPrefix + string(d)}
}

// removedKey is the address of the mark that a deployment was deleted with its project.
func (t Tables) removedKey(d anchor.DeploymentID) address {
	return address{t.Deployments, removedPrefix + string(d), "REMOVED"}
}

// removedProject is the address of the mark that a project was deleted.
func (t Tables) removedProject(p anchor.ProjectID) address {
	return address{t.Projects, removedPrefix + string(p), "REMOVED"}
}

func (t Tables) hostKey(h anchor.HostnameID) address {
	return address{t.Domains, allHosts, hostPrefix + string(h)}
}

func (t Tables) hostOf(p anchor.ProjectID, h anchor.HostnameID) address {
	return address{t.Domains, ofProject(p), hostPrefix + string(h)}
}

// hostName is the address of the item that reserves the name and identifies its hostname.
func (t Tables) hostName(name string) address { return address{t.Domains, "NAME", "NAME#" + name} }

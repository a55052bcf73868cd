package dynamo

import (
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

// number formats n so that texts sort as the numbers do.
func number(n int64) string { return fmt.Sprintf("%019d", n) }

func (t Tables) project(p anchor.ProjectID) address {
	return address{t.Projects, allProjects, "PROJECT#" + string(p)}
}

// slug is the address of a copy of the project, which never changes.
func (t Tables) slug(slug string) address { return address{t.Projects, "SLUG", "SLUG#" + slug} }

func (t Tables) live(p anchor.ProjectID) address {
	return address{t.Projects, allLives, "LIVE#" + string(p)}
}

func (t Tables) release(p anchor.ProjectID, revision int64) address {
	return address{t.Projects, ofProject(p), releasePrefix + number(revision)}
}

// releaseID is the address of the item that reserves the release's id.
func (t Tables) releaseID(id anchor.ReleaseID) address {
	return address{t.Projects, "RELEASE", releasePrefix + string(id)}
}

func (t Tables) env(p anchor.ProjectID) address { return address{t.Projects, ofProject(p), "ENV"} }

// value is the address of a large value of the variable, as written by the set.
func (t Tables) value(p anchor.ProjectID, set, name string) address {
	return address{t.Projects, ofProject(p), "VALUE#" + set + "#" + name}
}

// note is an address in the project's partition, so deleting the project deletes the note.
func (t Tables) note(p anchor.ProjectID) address { return address{t.Projects, ofProject(p), "NOTE"} }

func (t Tables) lease(p anchor.ProjectID) address {
	return address{t.Projects, "LEASE", "LEASE#" + string(p)}
}

// tokenID is the address of the hash of a token, which in turn locates the token.
func (t Tables) tokenID(id string) address { return address{t.Projects, allTokens, "TOKEN#" + id} }

func (t Tables) token(hash []byte) address {
	return address{t.Projects, "SHA256", "SHA256#" + hex.EncodeToString(hash)}
}

func (t Tables) record(d anchor.DeploymentID) address {
	return address{t.Deployments, ofDeployment(d), "RECORD"}
}

// journal is the address of the counter of the deployment's events.
func (t Tables) journal(d anchor.DeploymentID) address {
	return address{t.Deployments, ofDeployment(d), "JOURNAL"}
}

func (t Tables) event(d anchor.DeploymentID, seq int64) address {
	return address{t.Deployments, ofDeployment(d), eventPrefix + number(seq)}
}

func (t Tables) lockedEnv(d anchor.DeploymentID) address {
	return address{t.Deployments, ofDeployment(d), "ENV"}
}

// ordered is the address of the item that names a deployment of the project by its Order.
func (t Tables) ordered(p anchor.ProjectID, order int64) address {
	return address{t.Deployments, ofProject(p), orderPrefix + number(order)}
}

func (t Tables) kept(p anchor.ProjectID, d anchor.DeploymentID) address {
	return address{t.Deployments, ofProject(p), keptPrefix + string(d)}
}

func (t Tables) unfinished(d anchor.DeploymentID) address {
	return address{t.Deployments, allUnfinished, listedPrefix + string(d)}
}

// removed is the address of the mark that a deployment was deleted with its project.
func (t Tables) removed(d anchor.DeploymentID) address {
	return address{t.Deployments, removedPrefix + string(d), "REMOVED"}
}

// removedProject is the address of the mark that a project was deleted.
func (t Tables) removedProject(p anchor.ProjectID) address {
	return address{t.Projects, removedPrefix + string(p), "REMOVED"}
}

func (t Tables) host(h anchor.HostnameID) address {
	return address{t.Domains, allHosts, hostPrefix + string(h)}
}

func (t Tables) hostOf(p anchor.ProjectID, h anchor.HostnameID) address {
	return address{t.Domains, ofProject(p), hostPrefix + string(h)}
}

// hostName is the address of the item that reserves the name and identifies its hostname.
func (t Tables) hostName(name string) address { return address{t.Domains, "NAME", "NAME#" + name} }

package dynamo

import (
	"encoding/hex"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// address is where an item lies. A sort key never is empty (DynamoDB refuses it):
// each begins with what the item is.
type address struct{ table, pk, sk string }

// The sort keys that many items share the beginning of.
const (
	listedPrefix  = "DEPLOY#" // of before there was an Order
	orderPrefix   = "ORDER#"
	keptPrefix    = "KEPT#"
	eventPrefix   = "EVENT#"
	releasePrefix = "RELEASE#"
	hostPrefix    = "HOST#"
)

// removedPrefix begins the partition of an id that was deleted.
const removedPrefix = "REMOVED#"

// The partitions that hold one sort of item of all projects.
const (
	allProjects   = "PROJECT"
	allLives      = "LIVE"
	allTokens     = "TOKEN"
	allUnfinished = "UNFINISHED"
	allHosts      = "HOST"
)

func ofProject(p anchor.ProjectID) string       { return "PROJECT#" + string(p) }
func ofDeployment(d anchor.DeploymentID) string { return "DEPLOY#" + string(d) }

// number writes n so that the order of the texts is that of the numbers.
func number(n int64) string { return fmt.Sprintf("%019d", n) }

func (t Tables) project(p anchor.ProjectID) address {
	return address{t.Projects, allProjects, "PROJECT#" + string(p)}
}

// slug holds a copy of the project, which never changes.
func (t Tables) slug(slug string) address { return address{t.Projects, "SLUG", "SLUG#" + slug} }

func (t Tables) live(p anchor.ProjectID) address {
	return address{t.Projects, allLives, "LIVE#" + string(p)}
}

func (t Tables) release(p anchor.ProjectID, revision int64) address {
	return address{t.Projects, ofProject(p), releasePrefix + number(revision)}
}

// releaseID keeps the release's id from being taken twice.
func (t Tables) releaseID(id anchor.ReleaseID) address {
	return address{t.Projects, "RELEASE", releasePrefix + string(id)}
}

func (t Tables) env(p anchor.ProjectID) address { return address{t.Projects, ofProject(p), "ENV"} }

// value holds a large value of the variable as the set wrote it.
func (t Tables) value(p anchor.ProjectID, set, name string) address {
	return address{t.Projects, ofProject(p), "VALUE#" + set + "#" + name}
}

// note lies in the project's partition, and so goes with it.
func (t Tables) note(p anchor.ProjectID) address { return address{t.Projects, ofProject(p), "NOTE"} }

func (t Tables) lease(p anchor.ProjectID) address {
	return address{t.Projects, "LEASE", "LEASE#" + string(p)}
}

// tokenID names the hash of a token; the token lies under that.
func (t Tables) tokenID(id string) address { return address{t.Projects, allTokens, "TOKEN#" + id} }

func (t Tables) token(hash []byte) address {
	return address{t.Projects, "SHA256", "SHA256#" + hex.EncodeToString(hash)}
}

func (t Tables) record(d anchor.DeploymentID) address {
	return address{t.Deployments, ofDeployment(d), "RECORD"}
}

// journal counts the deployment's events.
func (t Tables) journal(d anchor.DeploymentID) address {
	return address{t.Deployments, ofDeployment(d), "JOURNAL"}
}

func (t Tables) event(d anchor.DeploymentID, seq int64) address {
	return address{t.Deployments, ofDeployment(d), eventPrefix + number(seq)}
}

func (t Tables) lockedEnv(d anchor.DeploymentID) address {
	return address{t.Deployments, ofDeployment(d), "ENV"}
}

// ordered names a deployment of the project by its Order.
func (t Tables) ordered(p anchor.ProjectID, order int64) address {
	return address{t.Deployments, ofProject(p), orderPrefix + number(order)}
}

func (t Tables) kept(p anchor.ProjectID, d anchor.DeploymentID) address {
	return address{t.Deployments, ofProject(p), keptPrefix + string(d)}
}

func (t Tables) unfinished(d anchor.DeploymentID) address {
	return address{t.Deployments, allUnfinished, listedPrefix + string(d)}
}

// removed keeps that a deployment was deleted with its project.
func (t Tables) removed(d anchor.DeploymentID) address {
	return address{t.Deployments, removedPrefix + string(d), "REMOVED"}
}

// removedProject keeps that a project was deleted.
func (t Tables) removedProject(p anchor.ProjectID) address {
	return address{t.Projects, removedPrefix + string(p), "REMOVED"}
}

func (t Tables) host(h anchor.HostnameID) address {
	return address{t.Domains, allHosts, hostPrefix + string(h)}
}

func (t Tables) hostOf(p anchor.ProjectID, h anchor.HostnameID) address {
	return address{t.Domains, ofProject(p), hostPrefix + string(h)}
}

// hostName keeps the name from being taken twice and names whose it is.
func (t Tables) hostName(name string) address { return address{t.Domains, "NAME", "NAME#" + name} }

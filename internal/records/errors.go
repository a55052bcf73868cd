// Package records holds what all implementations of the records share: the errors with their
// codes, and the cursors of lists. The implementations are in the packages below it, and
// recordstest holds them to one behavior.
package records

import "github.com/anchor-deploy/anchor/internal/anchor"

// NoProject is the error for a project, by id or slug, that does not exist.
func NoProject(idOrSlug string) error {
	return anchor.NotFound("unknown_project", "there is no project %q", idOrSlug).
		Hintf("List the projects with: anchor projects")
}

// Removing is the error for something new in a project that is being removed.
func Removing(id anchor.ProjectID) error {
	return anchor.NotFound("project_removing", "project %s is being removed", id).
		Hintf("Its name is free again when anchor projects no longer lists it. This may take some minutes.")
}

// SlugTaken is the error for a second project of one slug.
func SlugTaken(slug string) error {
	return anchor.Conflict("slug_taken", "a project with the slug %q already exists", slug).
		Hintf("Choose another slug.")
}

// IDTaken is the error for a second record of one id; what names its sort.
func IDTaken(what, id string) error {
	return anchor.Conflict("id_taken", "the %s %s already exists", what, id)
}

// NoDeployment is the error for a deployment that does not exist or belongs to another project.
func NoDeployment(id anchor.DeploymentID) error {
	return anchor.NotFound("unknown_deployment", "there is no deployment %q", id).
		Hintf("List the deployments with: anchor deployments")
}

// StatusChanged is the error for a deployment whose stored status differs from the one the
// caller acts on.
func StatusChanged(id anchor.DeploymentID, stored, from anchor.Status) error {
	return anchor.Conflict("status_changed", "deployment %s is %s, no longer %s", id, stored, from)
}

// NoSuchMove is the error for a change of status that the domain does not know.
func NoSuchMove(id anchor.DeploymentID, from, to anchor.Status) error {
	return anchor.Conflict("no_such_move", "deployment %s cannot go from %s to %s", id, from, to)
}

// NeverLive is the error for the live pointer of a project before its first release, and for
// the deployment that was live before the current one when there was none.
func NeverLive(p anchor.ProjectID) error {
	return anchor.NotFound("never_live", "no such deployment of project %s was ever live", p)
}

// PointerMoved is the error for a move of the live pointer from a revision it no
// longer has.
func PointerMoved(p anchor.ProjectID, stored, from int64) error {
	return anchor.Conflict("pointer_moved",
		"the live pointer of project %s is at revision %d, no longer at %d", p, stored, from).
		Hintf("Another release completed first. Check what is live with anchor status, then try again.")
}

// ForeignRecord is the error for a release of one project with the record of another.
func ForeignRecord(record anchor.DeploymentID, p anchor.ProjectID) error {
	return anchor.Conflict("foreign_record", "deployment %s does not belong to project %s", record, p)
}

// NoToken is the error for a token, by id or hash, that does not exist.
func NoToken() error {
	return anchor.NotFound("unknown_token", "the token does not exist").
		Hintf("List the tokens with: anchor tokens list")
}

// NoEnv is the error for a variable that the project does not have.
func NoEnv(slot anchor.EnvSlot) error {
	where := ""
	switch {
	case slot.Branch != "":
		where = " for previews of " + slot.Branch
	case slot.Environment != "":
		where = " for " + string(slot.Environment)
	}
	return anchor.NotFound("unknown_env", "the project has no variable %s%s", slot.Name, where).
		Hintf("List the variables with: anchor env ls")
}

// NotLocked is the error for a deployment whose environment is not fixed yet.
func NotLocked(id anchor.DeploymentID) error {
	return anchor.NotFound("env_not_locked", "deployment %s has no environment yet", id)
}

// NoHostname is the error for a custom domain, by id or name, that does not exist.
func NoHostname(idOrName string) error {
	return anchor.NotFound("unknown_domain", "there is no domain %q", idOrName).
		Hintf("List the domains with: anchor domains ls")
}

// DomainTaken is the error for a second hostname of one name. It does not disclose whose the
// first is.
func DomainTaken(name string) error {
	return anchor.Conflict("domain_taken", "the domain %s is attached already", name).
		Hintf("A domain belongs to one project. Remove it there first, or move it with: anchor domains move %s --to PROJECT", name)
}

// DomainChanged is the error for a hostname that has been written since it was read.
func DomainChanged(name string, stored, from int64) error {
	return anchor.Conflict("domain_changed", "the domain %s is at revision %d, no longer at %d", name, stored, from).
		Hintf("Something else changed it first. Check its current state, then try again.")
}

// NoPerson is the error for a person, by id or name, that does not exist.
func NoPerson(idOrName string) error {
	return anchor.NotFound("unknown_person", "there is no person %q", idOrName).
		Hintf("List the people with: anchor people")
}

// NameTaken is the error for a second person of one name.
func NameTaken(name string) error {
	return anchor.Conflict("name_taken", "a person named %q already exists", name).Hintf("Choose another name.")
}

// NoSession is the error for a session that does not exist.
func NoSession() error {
	return anchor.NotFound("unknown_session", "the session does not exist").
		Hintf("It has ended already. Nothing is left to do.")
}

// NoLink is the error for a sign-in link that does not exist or was used.
func NoLink() error {
	return anchor.NotFound("unknown_link", "the sign-in link was used already or has expired").
		Hintf("On the machine of the server, run anchor open --dashboard, or ask an admin for another link.")
}

// CredentialsChanged is the error for credentials that have been changed since they were read.
func CredentialsChanged() error {
	return anchor.Conflict("credentials_changed", "the credentials were changed at the same time").Hintf("Try again.")
}

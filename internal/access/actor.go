package access

import (
	"maps"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Actor is who makes a request: a person in a session, or a token. What it may do is decided here
// and nowhere else.
type Actor struct {
	Kind     string // KindPerson or KindToken
	ID, Name string
	Session  string                           // id of the session of a person
	Role     anchor.Role                      // in all projects and outside of them
	Projects map[anchor.ProjectID]anchor.Role // in addition to Role
	scope    anchor.Scope                     // of a token
}

// The kinds of actors, as in anchor.AuditEntry.
const (
	KindPerson = "person"
	KindToken  = "token"
)

// actorOf returns the actor of a token. A token of scope admin for all projects is made by an owner
// or on the machine of the server, so it counts as an owner.
func actorOf(t anchor.Token) Actor {
	a := Actor{Kind: KindToken, ID: t.ID, Name: t.Name, scope: t.Scope}
	switch {
	case len(t.Projects) > 0:
		a.Projects = map[anchor.ProjectID]anchor.Role{}
		for _, p := range t.Projects {
			a.Projects[p] = anchor.RoleOf(t.Scope)
		}
	case t.Scope == anchor.ScopeAdmin:
		a.Role = anchor.RoleOwner
	case t.Scope.Known():
		a.Role = anchor.RoleOf(t.Scope)
	}
	return a
}

func personActor(p anchor.Person, session string) Actor {
	return Actor{Kind: KindPerson, ID: p.ID, Name: p.Name, Session: session, Role: p.Role, Projects: p.Projects}
}

// RoleIn returns the role in a project.
func (a Actor) RoleIn(p anchor.ProjectID) anchor.Role {
	if role := a.Projects[p]; !a.Role.Includes(role) {
		return role
	}
	return a.Role
}

// Sees reports whether the actor may know that the project exists.
func (a Actor) Sees(p anchor.ProjectID) bool { return a.RoleIn(p).Known() }

// IsBound reports whether the actor is limited to single projects, in part or entirely.
func (a Actor) IsBound() bool { return len(a.Projects) > 0 || a.Role == "" }

// RequireIn returns nil if the actor may do in the project what needs the scope, else a Forbidden error.
func (a Actor) RequireIn(p anchor.ProjectID, needs anchor.Scope) error {
	return a.require(a.RoleIn(p), needs)
}

// Require returns nil if the actor may do what needs the scope and belongs to no project, else a
// Forbidden error.
func (a Actor) Require(needs anchor.Scope) error { return a.require(a.Role, needs) }

// RequireAnywhere returns nil if the actor may do in one project at least what needs the scope, else a
// Forbidden error. The caller limits its answer to the projects that the actor Sees.
func (a Actor) RequireAnywhere(needs anchor.Scope) error {
	best := a.Role
	for role := range maps.Values(a.Projects) {
		if !best.Includes(role) {
			best = role
		}
	}
	return a.require(best, needs)
}

func (a Actor) require(has anchor.Role, needs anchor.Scope) error {
	if has.Allows(needs) {
		return nil
	}
	if a.Kind == KindToken && !a.scope.Allows(needs) {
		e := &anchor.Error{Kind: anchor.KindForbidden, Code: "scope_too_small",
			Message: "the token " + a.Name + " has scope " + string(a.scope) + ", but this request needs " + string(needs)}
		return e.Hintf("Use a token created with anchor tokens create --scope %s.", needs)
	}
	if a.Kind == KindToken {
		e := &anchor.Error{Kind: anchor.KindForbidden, Code: "token_of_other_project",
			Message: "the token " + a.Name + " is for " + countProjects(len(a.Projects)) + " only, and this request concerns more"}
		return e.Hintf("Use a token created with anchor tokens create --scope %s and without --for-project.", needs)
	}
	role := anchor.RoleOf(needs)
	e := &anchor.Error{Kind: anchor.KindForbidden, Code: "role_too_small",
		Message: a.Name + " has " + describeRole(has) + " here, but this request needs the role " + string(role)}
	return e.Hintf("Ask an admin for the role: anchor people set %q --role %s", a.Name, role)
}

func countProjects(n int) string {
	if n == 1 {
		return "one project"
	}
	return "some projects"
}

func describeRole(r anchor.Role) string {
	if r == "" {
		return "no role"
	}
	return "the role " + string(r)
}

// requireRole returns nil if the actor has all that a role may do, in all projects.
func (a Actor) requireRole(role anchor.Role, what string) error {
	if a.Role.Includes(role) {
		return nil
	}
	e := &anchor.Error{Kind: anchor.KindForbidden, Code: "role_too_small",
		Message: a.Name + " has " + describeRole(a.Role) + ", but " + what + " needs the role " + string(role)}
	return e.Hintf("Ask somebody with the role %s. To list the people, run anchor people.", role)
}

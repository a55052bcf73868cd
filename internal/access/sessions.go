package access

import (
	"context"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// NewLink is a sign-in link with the secret that is only ever known to its holder.
type NewLink struct {
	anchor.SignInLink
	Secret string `json:"secret"`
}

// NewSession is a session with its secret.
type NewSession struct {
	anchor.Session
	Secret string        `json:"secret" doc:"A bearer token of the person until the session ends"`
	Person anchor.Person `json:"person"`
}

// SignInLink makes a link that signs a person in once, within a quarter of an hour. The actor may make
// one for themselves; for others it has to be allowed to change them.
func (s *Service) SignInLink(ctx context.Context, by Actor, idOrName string) (anchor.Person, NewLink, error) {
	p, err := s.Find(ctx, by, idOrName)
	if err != nil {
		return p, NewLink{}, err
	}
	if p.ID != by.ID {
		if err := mayChange(by, p); err != nil {
			return p, NewLink{}, err
		}
	}
	lasts := int64(linkTime)
	if p.SignedInAt == 0 && by.Kind == KindPerson && p.ID != by.ID {
		lasts = invitationTime // another invitation
	}
	link, err := s.createLink(ctx, p, lasts)
	return p, link, err
}

func (s *Service) createLink(ctx context.Context, p anchor.Person, lasts int64) (NewLink, error) {
	secret := newSecret(linkPrefix)
	now := s.now()
	link := anchor.SignInLink{ID: anchor.NewID(), PersonID: p.ID, Hash: hashSecret(secret), CreatedAt: now, ExpiresAt: now + lasts}
	return NewLink{SignInLink: link, Secret: secret}, s.People.CreateLink(ctx, link)
}

// LookAtLink returns whom a link signs in, without using it.
func (s *Service) LookAtLink(ctx context.Context, secret string) (anchor.Person, error) {
	_, p, err := s.findLink(ctx, secret)
	return p, err
}

func (s *Service) findLink(ctx context.Context, secret string) (anchor.SignInLink, anchor.Person, error) {
	if s.People == nil {
		return anchor.SignInLink{}, anchor.Person{}, errNoPeople()
	}
	if !isWellFormed(secret, linkPrefix) {
		return anchor.SignInLink{}, anchor.Person{}, errBadLink()
	}
	link, p, err := s.People.LinkByHash(ctx, hashSecret(secret))
	if anchor.KindOf(err) == anchor.KindNotFound || err == nil && link.ExpiresAt <= s.now() {
		return link, p, errBadLink()
	}
	return link, p, err
}

func errBadLink() error {
	e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: "bad_link", Message: "the sign-in link is unknown, was used already or has expired"}
	return e.Hintf("On the machine of the server, run anchor open --dashboard, or ask an admin for another link.")
}

// SignIn begins a session of the person whose link the secret is, and uses the link up: of several calls
// at the same time one succeeds. from and agent describe the client. The error is Unauthorized for a
// link that is unknown, used or expired.
func (s *Service) SignIn(ctx context.Context, secret, from, agent string) (NewSession, error) {
	link, p, err := s.findLink(ctx, secret)
	if err != nil {
		return NewSession{}, err
	}
	if err := s.People.TakeLink(ctx, link.ID); err != nil {
		if anchor.KindOf(err) == anchor.KindNotFound {
			err = errBadLink()
		}
		return NewSession{}, err
	}
	return s.beginSession(ctx, p.ID, from, agent)
}

func (s *Service) beginSession(ctx context.Context, person, from, agent string) (NewSession, error) {
	now, secret := s.now(), newSecret(sessionPrefix)
	var p anchor.Person
	err := s.People.ChangePeople(ctx, func(all []anchor.Person) ([]anchor.Person, error) {
		for i := range all {
			if all[i].ID == person {
				all[i].SignedInAt = now
				p = all[i]
				return all, nil
			}
		}
		return nil, noPerson(person)
	})
	if err != nil {
		return NewSession{}, err
	}
	session := anchor.Session{
		ID: anchor.NewID(), PersonID: person, Hash: hashSecret(secret), CreatedAt: now, SeenAt: now, ExpiresAt: now + sessionTime,
		From: from, Agent: cutText(agent, 200),
	}
	if err := s.People.CreateSession(ctx, session); err != nil {
		return NewSession{}, err
	}
	return NewSession{Session: session, Secret: secret, Person: p}, nil
}

func cutText(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}

// Authenticate returns the actor of a secret: of a token, or of a session. The error is Unauthorized
// when the secret is unknown, revoked or expired.
func (s *Service) Authenticate(ctx context.Context, secret string) (Actor, error) {
	if s.People != nil && strings.HasPrefix(secret, sessionPrefix) {
		return s.checkSession(ctx, secret)
	}
	token, err := s.Check(ctx, secret)
	if err != nil {
		return Actor{}, err
	}
	if now := s.now(); s.Uses != nil && now-token.LastUsedAt > usedEvery {
		if err := s.Uses.UsedToken(ctx, token.ID, now); err != nil {
			return Actor{}, err
		}
	}
	return actorOf(token), nil
}

func (s *Service) checkSession(ctx context.Context, secret string) (Actor, error) {
	if !isWellFormed(secret, sessionPrefix) {
		return Actor{}, errSessionEnded()
	}
	session, p, err := s.People.SessionByHash(ctx, hashSecret(secret))
	return s.useSession(ctx, session, p, err)
}

// SessionActor returns the actor of a session that the caller knows to be the client's without its secret:
// by a cookie of Anchor's own. The error is Unauthorized when the session has ended.
func (s *Service) SessionActor(ctx context.Context, id string) (Actor, error) {
	if s.People == nil {
		return Actor{}, errNoPeople()
	}
	session, p, err := s.People.SessionByID(ctx, id)
	return s.useSession(ctx, session, p, err)
}

// useSession returns the actor of a session that was read, unless it has ended.
func (s *Service) useSession(ctx context.Context, session anchor.Session, p anchor.Person, err error) (Actor, error) {
	now := s.now()
	switch {
	case anchor.KindOf(err) == anchor.KindNotFound:
		return Actor{}, errSessionEnded()
	case err != nil:
		return Actor{}, err
	case session.ExpiresAt <= now || session.SeenAt+idleTime <= now:
		return Actor{}, errSessionEnded()
	}
	if now-session.SeenAt > seenEvery {
		if err := s.People.SeenSession(ctx, session.ID, now); err != nil {
			return Actor{}, err
		}
	}
	return personActor(p, session.ID), nil
}

func errSessionEnded() error {
	e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: "session_ended", Message: "the session has ended"}
	return e.Hintf("Sign in again. On the machine of the server, run anchor open --dashboard.")
}

// Sessions returns the sessions of a person, newest first. Others' are for admins.
func (s *Service) Sessions(ctx context.Context, by Actor, idOrName string) ([]anchor.Session, error) {
	p, err := s.Find(ctx, by, idOrName)
	if err != nil {
		return nil, err
	}
	if p.ID != by.ID {
		if err := mayChange(by, p); err != nil {
			return nil, err
		}
	}
	return s.People.Sessions(ctx, p.ID)
}

// EndSession ends a session of a person, "current" the actor's own, or returns NotFound.
func (s *Service) EndSession(ctx context.Context, by Actor, idOrName, session string) error {
	p, err := s.Find(ctx, by, idOrName)
	if err != nil {
		return err
	}
	if p.ID != by.ID {
		if err := mayChange(by, p); err != nil {
			return err
		}
	}
	if session == "current" {
		session = by.Session
	}
	return s.People.RemoveSession(ctx, p.ID, session)
}

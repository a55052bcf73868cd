package dashboard

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) peopleRoutes(mux *routes) {
	mux.HandleFunc("GET "+root+"/people", d.page(showPeople))
	mux.HandleFunc("POST "+root+"/people", d.reveal(d.invite))
	mux.HandleFunc("POST "+root+"/people/{person}", d.action(setPerson))
	mux.HandleFunc("POST "+root+"/people/{person}/remove", d.action(removePerson))
	mux.HandleFunc("POST "+root+"/people/{person}/link", d.reveal(d.linkFor))
	mux.HandleFunc("GET "+root+"/tokens", d.page(showTokens))
	mux.HandleFunc("POST "+root+"/tokens", d.reveal(createToken))
	mux.HandleFunc("POST "+root+"/tokens/{token}/revoke", d.action(revokeToken))
	mux.HandleFunc("GET "+root+"/audit", d.page(showAudit))
	mux.HandleFunc("GET "+root+"/account", d.page(showAccount))
	mux.HandleFunc("POST "+root+"/account/sessions/{session}/end", d.action(endSession))
}

// reveal performs a change whose answer is a secret that is shown once, so it does not redirect.
func (d *Dashboard) reveal(do func(request) (view, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		in, ok := d.enter(w, r)
		if !ok {
			return
		}
		v, err := do(in)
		if err != nil {
			d.fail(w, r, in.me, err)
			return
		}
		v.me, v.signedIn = in.me, true
		d.render(w, r, http.StatusOK, v)
	}
}

func showPeople(r request) (view, error) {
	people, err := r.api.People(r.Context())
	if err != nil {
		return view{}, err
	}
	slugs, err := r.slugs()
	if err != nil {
		return view{}, err
	}
	return view{Title: "People", Section: "people", Rest: peoplePage(people, slugs, r.me)}, nil
}

// slugs returns the slugs of the projects by id.
func (r request) slugs() (map[anchor.ProjectID]string, error) {
	list, err := r.api.Projects(r.Context(), anchor.Page{Limit: 100})
	slugs := map[anchor.ProjectID]string{}
	for _, p := range list.Items {
		slugs[p.ID] = p.Slug
	}
	return slugs, err
}

// rolesOf reads the roles of a form: one for all projects, or one for a single project.
func rolesOf(r request) wire.Roles {
	role, project := anchor.Role(r.PostFormValue("role")), r.PostFormValue("project")
	if project == "" {
		return wire.Roles{Role: role}
	}
	return wire.Roles{Projects: map[string]anchor.Role{project: role}}
}

func (d *Dashboard) invite(r request) (view, error) {
	made, err := r.api.Invite(r.Context(), wire.InvitePerson{Name: r.PostFormValue("name"), Email: strings.TrimSpace(r.PostFormValue("email")), Roles: rolesOf(r)})
	if err != nil {
		return view{}, err
	}
	text := "Send this link to " + made.Person.Name + ". It signs them in once and works until " + clock(made.ExpiresAt) + "."
	return view{Title: "Invitation", Section: "people", Rest: secretPage("Invitation for "+made.Person.Name, text, d.origin(r.Request)+made.Path, address("people"))}, nil
}

func (d *Dashboard) linkFor(r request) (view, error) {
	made, err := r.api.SignInLink(r.Context(), r.PathValue("person"))
	if err != nil {
		return view{}, err
	}
	text := "This link signs " + made.Person.Name + " in once and works until " + clock(made.ExpiresAt) + "."
	return view{Title: "Sign-in link", Section: "people", Rest: secretPage("Sign-in link for "+made.Person.Name, text, d.origin(r.Request)+made.Path, address("people"))}, nil
}

// origin returns how the browser of a request reaches the server.
func (d *Dashboard) origin(r *http.Request) string {
	if d.Secure(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func setPerson(r request) (string, error) {
	want := wire.SetPerson{Roles: rolesOf(r)}
	// Another address ends what the accounts of the one before may do, so one that did not change is not sent.
	if email := strings.TrimSpace(r.PostFormValue("email")); email != r.PostFormValue("email-before") {
		want.Email = &email
	}
	_, err := r.api.SetPerson(r.Context(), r.PathValue("person"), want)
	return done(address("people"), "person-set"), err
}

func removePerson(r request) (string, error) {
	return done(address("people"), "person-removed"), r.api.RemovePerson(r.Context(), r.PathValue("person"))
}

func showTokens(r request) (view, error) {
	tokens, err := r.api.Tokens(r.Context())
	if err != nil {
		return view{}, err
	}
	slugs, err := r.slugs()
	if err != nil {
		return view{}, err
	}
	return view{Title: "Tokens", Section: "tokens", Rest: tokensPage(tokens, slugs, r.me)}, nil
}

func createToken(r request) (view, error) {
	want := wire.CreateToken{Name: strings.TrimSpace(r.PostFormValue("name")), Scope: anchor.Scope(r.PostFormValue("scope"))}
	if p := r.PostFormValue("project"); p != "" {
		want.Projects = []string{p}
	}
	if text := r.PostFormValue("days"); text != "" {
		days, err := strconv.Atoi(text)
		if err != nil || days < 1 || days > 3650 {
			return view{}, anchor.Invalid("bad_expiry", "%q is not a number of days", text).Hintf("Go back and choose one.")
		}
		want.ExpiresAt = time.Now().AddDate(0, 0, days).UnixMilli()
	}
	made, err := r.api.CreateTokenFor(r.Context(), want)
	if err != nil {
		return view{}, err
	}
	text := "Copy the secret of this token now; it is not shown again. Set it as ANCHOR_TOKEN where it is used."
	return view{Title: "Token", Section: "tokens", Rest: secretPage("Token "+made.Name, text, made.Secret, address("tokens"))}, nil
}

func revokeToken(r request) (string, error) {
	return done(address("tokens"), "revoked"), r.api.RevokeToken(r.Context(), r.PathValue("token"))
}

// auditSize is how many entries a page of the audit log shows.
const auditSize = 50

func showAudit(r request) (view, error) {
	q := r.URL.Query()
	before, _ := strconv.ParseInt(q.Get("before"), 10, 64) // 0 is the first page
	entries, err := r.api.Audit(r.Context(), q.Get("project"), q.Get("actor"), before, auditSize)
	if err != nil {
		return view{}, err
	}
	return view{Title: "Audit log", Section: "audit", Live: auditTable(entries, q.Get("project"), q.Get("actor"))}, nil
}

func showAccount(r request) (view, error) {
	sessions, err := r.api.Sessions(r.Context(), "me")
	if err != nil {
		return view{}, err
	}
	passkeys, err := r.api.Passkeys(r.Context())
	if err != nil {
		return view{}, err
	}
	password, err := r.api.HasPassword(r.Context())
	if err != nil {
		return view{}, err
	}
	return view{Title: "Your account", Section: "account", Rest: accountPage(r.me, passkeys, sessions, password), Scripts: []string{"passkey.js"}}, nil
}

func endSession(r request) (string, error) {
	err := r.api.EndSession(r.Context(), "me", r.PathValue("session"))
	return done(address("account"), "session-ended"), err
}

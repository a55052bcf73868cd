package dashboard

import (
	"net/http"
	"time"

	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) passwordRoutes(mux *routes) {
	mux.HandleFunc("POST "+root+"/sign-in/password", d.signInByPassword)
	mux.HandleFunc("POST "+root+"/account/password", d.reveal(setUpPassword))
	mux.HandleFunc("POST "+root+"/account/password/confirm", d.action(confirmPassword))
	mux.HandleFunc("POST "+root+"/account/password/remove", d.action(removePassword))
}

func (d *Dashboard) signInByPassword(w http.ResponseWriter, r *http.Request) {
	if !d.isPrivate(r) {
		d.renderSignIn(w, r, http.StatusForbidden, signInView{Insecure: true})
		return
	}
	session, err := d.client(r).PasswordSignIn(r.Context(), wire.PasswordSignIn{
		Name: r.PostFormValue("name"), Password: r.PostFormValue("password"), Code: r.PostFormValue("code"),
	})
	if err != nil {
		d.renderSignIn(w, r, statusOf(err), signInView{Problem: describeProblem(err), ByPassword: true})
		return
	}
	d.begin(w, r, session.Secret, time.UnixMilli(session.ExpiresAt))
	http.Redirect(w, r, root, http.StatusSeeOther)
}

func setUpPassword(r request) (view, error) {
	setup, err := r.api.SetUpPassword(r.Context(), r.PostFormValue("password"))
	if err != nil {
		return view{}, err
	}
	return view{Title: "Password", Section: "account", Rest: confirmPasswordPage(setup.ID, setup.Secret, setup.URI)}, nil
}

func confirmPassword(r request) (string, error) {
	return done(address("account"), "password-set"), r.api.ConfirmPassword(r.Context(), r.PostFormValue("id"), r.PostFormValue("code"))
}

func removePassword(r request) (string, error) {
	return done(address("account"), "password-removed"), r.api.RemovePassword(r.Context())
}

package dashboard

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) passkeyRoutes(mux *routes) {
	mux.HandleFunc("POST "+root+"/sign-in/passkey/begin", d.beginPasskeySignIn)
	mux.HandleFunc("POST "+root+"/sign-in/passkey", d.signInByPasskey)
	mux.HandleFunc("POST "+root+"/account/passkeys/begin", d.beginPasskey)
	mux.HandleFunc("POST "+root+"/account/passkeys", d.addPasskey)
	mux.HandleFunc("POST "+root+"/account/passkeys/{passkey}/remove", d.action(removePasskey))
}

// answerScript answers passkey.js.
func answerScript(w http.ResponseWriter, v any, err error) {
	if err != nil {
		writeJSON(w, statusOf(err), describeProblem(err))
		return
	}
	writeJSON(w, http.StatusOK, v)
}

// readScript reads what passkey.js sends.
func readScript(r *http.Request, v any) error {
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		return anchor.Invalid("bad_json", "the browser sent no JSON").Because(err).Hintf("Load the page again.")
	}
	return nil
}

func (d *Dashboard) beginPasskeySignIn(w http.ResponseWriter, r *http.Request) {
	c, err := d.client(r).BeginPasskeySignIn(r.Context(), d.origin(r))
	answerScript(w, c, err)
}

func (d *Dashboard) signInByPasskey(w http.ResponseWriter, r *http.Request) {
	var sent wire.PasskeySignIn
	err := readScript(r, &sent)
	if err == nil && !d.isPrivate(r) {
		err = anchor.Invalid("not_encrypted", "this connection is not encrypted").Hintf("Use HTTPS.")
	}
	if err != nil {
		answerScript(w, nil, err)
		return
	}
	session, err := d.client(r).PasskeySignIn(r.Context(), sent)
	if err == nil {
		d.begin(w, r, session.Secret, time.UnixMilli(session.ExpiresAt))
	}
	answerScript(w, root, err)
}

func (d *Dashboard) beginPasskey(w http.ResponseWriter, r *http.Request) {
	c, err := d.client(r).BeginPasskey(r.Context(), d.origin(r))
	answerScript(w, c, err)
}

func (d *Dashboard) addPasskey(w http.ResponseWriter, r *http.Request) {
	var sent wire.AddPasskey
	err := readScript(r, &sent)
	if err == nil {
		_, err = d.client(r).AddPasskey(r.Context(), sent)
	}
	answerScript(w, done(address("account"), "passkey-added"), err)
}

func removePasskey(r request) (string, error) {
	return done(address("account"), "passkey-removed"), r.api.RemovePasskey(r.Context(), r.PathValue("passkey"))
}

package dashboard

import (
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) alertRoutes(mux *routes) {
	const all = root + "/alerts"
	mux.HandleFunc("GET "+all, d.page(showAlerts))
	mux.HandleFunc("POST "+all, d.reveal(addAlert))
	mux.HandleFunc("POST "+all+"/{channel}/test", d.action(testAlert))
	mux.HandleFunc("POST "+all+"/{channel}/remove", d.action(removeAlert))
}

// alertEvents are what alerts report, in words.
var alertEvents = map[string]string{
	"new-error":     "An error that the app never logged before",
	"error-rate":    "5 % of the requests of 5 minutes failed",
	"failed-deploy": "A deployment failed",
	"server-check":  "A check of the doctor fails: disk, certificates, names",
}

func showAlerts(r request) (view, error) {
	channels, err := r.api.AlertChannels(r.Context())
	if err != nil {
		return view{}, err
	}
	slugs, err := r.slugs()
	if err != nil {
		return view{}, err
	}
	return view{Title: "Alerts", Section: "alerts", Live: alertTable(channels, slugs), Rest: addAlertForm(slugs)}, nil
}

// addAlert shows the secret that signs webhooks, which no other page has.
func addAlert(r request) (view, error) {
	target := strings.TrimSpace(r.PostFormValue("target"))
	want := wire.AddAlertChannel{Kind: r.PostFormValue("kind"), Project: r.PostFormValue("project"), Events: r.PostForm["event"]}
	if want.AlertTarget = (anchor.AlertTarget{URL: target}); want.Kind == "email" {
		want.AlertTarget = anchor.AlertTarget{To: target, SMTP: strings.TrimSpace(r.PostFormValue("smtp")), From: strings.TrimSpace(r.PostFormValue("from"))}
	}
	added, err := r.api.AddAlertChannel(r.Context(), want)
	if err != nil {
		return view{}, err
	}
	return view{Title: "Channel added", Section: "alerts", Rest: addedAlert(added)}, nil
}

func testAlert(r request) (string, error) {
	return done(address("alerts"), "alert-tested"), r.api.TestAlertChannel(r.Context(), r.PathValue("channel"))
}

func removeAlert(r request) (string, error) {
	return done(address("alerts"), "alert-removed"), r.api.RemoveAlertChannel(r.Context(), r.PathValue("channel"))
}

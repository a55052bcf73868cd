package dashboard

import (
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) systemRoutes(mux *routes) {
	mux.HandleFunc("GET "+root+"/system", d.page(showSystem))
	mux.HandleFunc("GET "+root+"/system/doctor", d.page(showDoctor))
	mux.HandleFunc("GET "+root+"/system/backups", d.page(showBackups))
	mux.HandleFunc("POST "+root+"/system/backups", d.action(makeBackup))
	mux.HandleFunc("POST "+root+"/system/backups/{backup}/verify", d.action(verifyBackup))
}

func showSystem(r request) (view, error) {
	status, err := r.api.Status(r.Context())
	if err != nil {
		return view{}, err
	}
	// The size of the data folder is counted each time.
	return view{Title: "System", Section: "system", Every: 30 * time.Second, Live: systemStatus(status), Rest: systemLinks(r.me.Role.Allows(anchor.ScopeAdmin))}, nil
}

// showDoctor is a page of its own because its checks read files and ask the DNS.
func showDoctor(r request) (view, error) {
	checks, err := r.api.Doctor(r.Context())
	if err != nil {
		return view{}, err
	}
	bad := []wire.Check{}
	for _, c := range checks {
		if !c.OK {
			bad = append(bad, c)
		}
	}
	return view{Title: "Doctor", Section: "system", Rest: doctorPage(checks, len(bad))}, nil
}

func showBackups(r request) (view, error) {
	all, err := r.api.Backups(r.Context())
	if err != nil {
		return view{}, err
	}
	return view{Title: "Backups", Section: "system", Live: backupTable(all), Rest: backupForm()}, nil
}

func makeBackup(r request) (string, error) {
	_, err := r.api.MakeBackup(r.Context())
	return done(address("system", "backups"), "backup-made"), err
}

func verifyBackup(r request) (string, error) {
	return done(address("system", "backups"), "backup-verified"), r.api.VerifyBackup(r.Context(), r.PathValue("backup"))
}

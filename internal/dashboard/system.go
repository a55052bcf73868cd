package dashboard

import (
	"time"

	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) systemRoutes(mux *routes) {
	mux.HandleFunc("GET "+root+"/system", d.page(showSystem))
	mux.HandleFunc("GET "+root+"/system/doctor", d.page(showDoctor))
}

func showSystem(r request) (view, error) {
	status, err := r.api.Status(r.Context())
	if err != nil {
		return view{}, err
	}
	// The size of the data folder is counted each time.
	return view{Title: "System", Section: "system", Every: 30 * time.Second, Live: systemStatus(status), Rest: doctorLink()}, nil
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

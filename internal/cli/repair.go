package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/anchor-deploy/anchor/internal/local/discovery"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

// runRepair works on the data folder itself: without records no server starts.
func (s *shell) runRepair(ctx context.Context, data string) error {
	if data == "" {
		standard, err := discovery.DefaultData()
		if err != nil {
			return err
		}
		data = standard
	}
	done, err := server.Repair(ctx, data)
	if err != nil {
		return err
	}
	return s.printResult(done, func(w io.Writer) {
		for _, line := range done.Done {
			fmt.Fprintf(w, "%s %s\n", s.paintText(green, "✓"), cleanText(line))
		}
		for _, line := range done.Lost {
			fmt.Fprintf(w, "%s Lost: %s\n", s.paintText(red, "✗"), cleanText(line))
		}
		if len(done.Done)+len(done.Lost) == 0 {
			fmt.Fprintf(w, "The records of %s match its files. Nothing was changed.\n", cleanText(done.Data))
			return
		}
		fmt.Fprintf(w, "\nTo start the server again, run %s\n", cleanText(done.StartCommand()))
	})
}

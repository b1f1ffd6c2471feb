package serve

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// OpenBrowser opens a link in the user's browser: with the command in $BROWSER,
// else as the system does. What goes wrong, which may take its time, is sent on
// the channel.
func OpenBrowser(link string) <-chan error {
	failed := make(chan error, 1)
	command, err := browserCommand()
	if err != nil {
		failed <- err
		return failed
	}
	cmd := exec.Command(command[0], append(command[1:], link)...)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		failed <- err
		return failed
	}
	go func() {
		if err := cmd.Wait(); err != nil {
			failed <- fmt.Errorf("%s: %w", command[0], err)
		}
	}()
	return failed
}

func browserCommand() ([]string, error) {
	if command := strings.Fields(os.Getenv("BROWSER")); len(command) > 0 {
		return command, nil
	}
	switch runtime.GOOS {
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}, nil // unlike "cmd /c start", it takes any link
	case "darwin":
		return []string{"open"}, nil
	}
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		// xdg-open would start a browser in this terminal.
		return nil, errors.New("there is no display, and BROWSER is not set")
	}
	return []string{"xdg-open"}, nil
}

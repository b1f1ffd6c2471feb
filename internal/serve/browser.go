package serve

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// browserFails is how long a command that opens the browser has to fail.
const browserFails = 2 * time.Second

// OpenBrowser opens a link in the user's browser: the command in $BROWSER, else
// the system's own. It does not wait for the browser to end.
func OpenBrowser(link string) error {
	command, err := browserCommand()
	if err != nil {
		return err
	}
	cmd := exec.Command(command[0], append(command[1:], link)...)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return errors.New(strings.Join(command, " ") + ": " + err.Error())
		}
	case <-time.After(browserFails):
	}
	return nil
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

package collectortest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const distribution = "../../collector/distribution"

// TestConfigs: the Collector takes the configurations that are there to copy.
func TestConfigs(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Collector")
	}
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		t.Helper()
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	_, readme, _ := strings.Cut(read("../../collector/goexectracereceiver/README.md"), "```yaml\n")
	readme, _, _ = strings.Cut(readme, "```")
	_, kubernetes, _ := strings.Cut(read(distribution+"/kubernetes.yaml"), "config.yaml: |\n")
	kubernetes, _, _ = strings.Cut(kubernetes, "---\n")
	for name, config := range map[string]string{
		"config.yaml":     read(distribution + "/config.yaml"),
		"kubernetes.yaml": regexp.MustCompile(`(?m)^ {4}`).ReplaceAllString(strings.ReplaceAll(kubernetes, "/traces/", t.TempDir()+"/"), ""),
		"README.md": readme + "exporters: {otlp_http: {endpoint: http://localhost:4318}}\n" +
			"extensions: {file_storage: {directory: " + t.TempDir() + "}}\n" +
			"service: {extensions: [file_storage], pipelines: {traces: {receivers: [go_execution_trace], exporters: [otlp_http]}}}\n",
	} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(config), 0o666); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(file, "validate", "--config="+path)
		cmd.Env = []string{}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(config, "go_execution_trace") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

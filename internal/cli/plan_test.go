package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// folder is a working folder with files in it.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte("content of "+name), 0o600))
	}
	return dir
}

func targets(t *testing.T, items []item) []string {
	t.Helper()
	cwd, err := os.Getwd()
	require.NoError(t, err)
	var out []string
	for _, it := range items {
		relative, err := filepath.Rel(cwd, it.target)
		require.NoError(t, err)
		out = append(out, relative)
	}
	return out
}

func TestWhereOutputsGo(t *testing.T) {
	folder(t, "a.md", "sub/b.md", "c:d.md", "noext", "x.tar.md")
	require.NoError(t, os.Mkdir("out.d", 0o755))
	for name, test := range map[string]struct {
		r    request
		want []string
	}{
		"beside the input":       {request{inputs: []string{"sub/b.md"}, to: "html"}, []string{"sub/b.html"}},
		"a folder that is there": {request{inputs: []string{"a.md"}, to: "html", output: "out.d"}, []string{"out.d/a.html"}},
		"a folder to be":         {request{inputs: []string{"a.md"}, to: "html", output: "new/er"}, []string{"new/er/a.html"}},
		"a folder with a dot":    {request{inputs: []string{"a.md"}, to: "html", output: "v1.2/"}, []string{"v1.2/a.html"}},
		"a file name":            {request{inputs: []string{"a.md"}, to: "html", output: "other.html"}, []string{"other.html"}},
		"an alias of it":         {request{inputs: []string{"a.md"}, to: "html", output: "other.htm"}, []string{"other.html"}},
		"several inputs":         {request{inputs: []string{"a.md", "sub/b.md"}, to: "html", output: "o"}, []string{"o/a.html", "o/b.html"}},
		"several targets":        {request{inputs: []string{"a.md"}, to: "html, PDF,.txt", output: "o"}, []string{"o/a.html", "o/a.pdf", "o/a.txt"}},
		"a target of its own":    {request{inputs: []string{"a.md:pdf,txt", "sub/b.md"}, to: "html"}, []string{"a.pdf", "a.txt", "sub/b.html"}},
		"a colon in a name":      {request{inputs: []string{"c:d.md"}, to: "html"}, []string{"c:d.html"}},
		"a colon and a target":   {request{inputs: []string{"c:d.md:html"}}, []string{"c:d.html"}},
		"a format by hand":       {request{inputs: []string{"noext"}, from: "md", to: "html"}, []string{"noext.html"}},
		"dots in a name":         {request{inputs: []string{"x.tar.md"}, to: "html"}, []string{"x.tar.html"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.r.onExist = onExistFail
			items, err := plan(test.r)
			require.NoError(t, err, name)
			assert.Equal(t, test.want, targets(t, items), name)
		})
	}
}

func TestBadCommandsAreRefusedWithOneLineEach(t *testing.T) {
	long := strings.Repeat("a", 252) + ".md"
	folder(t, "a.md", "b/a.md", "p.png", "noext", "locked.md", long)
	require.NoError(t, os.WriteFile("empty.md", nil, 0o600))
	require.NoError(t, os.Mkdir("closed", 0o500))
	require.NoError(t, os.Chmod("locked.md", 0))
	for name, test := range map[string]struct {
		r    request
		says string
		root bool // holds for root, who may write everywhere
	}{
		"missing file":        {request{inputs: []string{"none.md"}, to: "html"}, "none.md does not exist", true},
		"empty file":          {request{inputs: []string{"empty.md"}, to: "html"}, "empty.md is empty", true},
		"folder":              {request{inputs: []string{"b"}, to: "html"}, "b is a folder", true},
		"device":              {request{inputs: []string{"/dev/null"}, to: "html", from: "md"}, "not a regular file", true},
		"unknown format":      {request{inputs: []string{"a.md"}, to: "foo"}, `a.md: target format "foo" is not known`, true},
		"no format":           {request{inputs: []string{"noext"}, to: "html"}, "--from", true},
		"no target":           {request{inputs: []string{"a.md"}}, "add --to FORMAT or write a.md:FORMAT", true},
		"impossible pair":     {request{inputs: []string{"a.md"}, to: "png"}, "a.md: md (document) does not convert to png (image)", true},
		"same format":         {request{inputs: []string{"a.md"}, to: "md"}, "nothing to convert", true},
		"quality of picture":  {request{inputs: []string{"p.png"}, to: "jpg", quality: "high"}, `quality: "high" is not an integer from 1 to 100`, true},
		"quality of document": {request{inputs: []string{"a.md"}, to: "pdf", quality: "80"}, "standard or high", true},
		"pages of picture":    {request{inputs: []string{"p.png"}, to: "jpg", pages: "1"}, "pages: png has no pages", true},
		"pages that are none": {request{inputs: []string{"a.md"}, to: "pdf", pages: "one"}, "not a range", true},
		"odd --on-exist":      {request{inputs: []string{"a.md"}, to: "pdf", onExist: "ask"}, "not fail, skip or overwrite", true},
		"two to one":          {request{inputs: []string{"a.md", "b/a.md"}, to: "html", output: "o"}, "would both become", true},
		"file for folder":     {request{inputs: []string{"a.md", "p.png:jpg"}, to: "html", output: "a.md"}, "is a file, but there are several outputs", true},
		"file, one output":    {request{inputs: []string{"a.md"}, to: "html", output: "noext"}, "noext is there and is no folder; name a folder, or a file that ends in .html", true},
		"device as output":    {request{inputs: []string{"a.md"}, to: "html", output: "/dev/null"}, "/dev/null is there and is no folder", true},
		"long name":           {request{inputs: []string{long}, to: "html", output: "o"}, "the name of its output would have 257 bytes, and a file's has 255 at most", true},
		"other extension":     {request{inputs: []string{"a.md"}, to: "html", output: "x.pdf"}, "ends in .pdf", true},
		"folder in a file":    {request{inputs: []string{"a.md"}, to: "html", output: "p.png/out"}, "p.png is a file", true},
		"folder not writable": {request{inputs: []string{"a.md"}, to: "html", output: "closed/o"}, "not writable", false},
		"unreadable file":     {request{inputs: []string{"locked.md"}, to: "html"}, "permission denied", false},
	} {
		t.Run(name, func(t *testing.T) {
			if !test.root && os.Getuid() == 0 {
				return // TestBadCommandsOfAnybody comes to these
			}
			if test.r.onExist == "" {
				test.r.onExist = onExistFail
			}
			_, err := plan(test.r)
			var failure *Failure
			require.ErrorAs(t, err, &failure, name)
			assert.Equal(t, ExitUsage, failure.Code, name)
			assert.Contains(t, err.Error(), test.says, name)
			assert.Equal(t, 0, strings.Count(err.Error(), "\n"), "%s: one line: %s", name, err)
		})
	}
}

// Root may read and write everything, so root runs the test above once more as nobody.
func TestBadCommandsOfAnybody(t *testing.T) {
	if os.Getuid() != 0 {
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	binary, err := os.ReadFile(self)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	require.NoError(t, os.Chmod(dir, 0o777))
	path := filepath.Join(dir, "cli.test")
	require.NoError(t, os.WriteFile(path, binary, 0o755))
	cmd := exec.CommandContext(t.Context(), path, "-test.run", "^TestBadCommandsAreRefused", "-test.v")
	cmd.Dir, cmd.Env = dir, []string{"TMPDIR=" + dir}
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "--- PASS")
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	folder(t, "a.md")
	_, err := plan(request{inputs: []string{"none.md", "a.md", "gone.md"}, to: "html", onExist: onExistFail})
	assert.Equal(t, "none.md does not exist\ngone.md does not exist", err.Error())
}

func TestWorkflowIDs(t *testing.T) {
	folder(t, "Bericht Ä (1).md", "b.md")
	id := func(change func(r *request)) string {
		r := request{inputs: []string{"Bericht Ä (1).md"}, to: "html", onExist: onExistFail}
		change(&r)
		items, err := plan(r)
		require.NoError(t, err)
		return items[0].workflowID
	}
	same := id(func(*request) {})
	assert.Regexp(t, `^convert-bericht-1-md-to-html-[0-9a-f]{12}$`, same)
	assert.Equal(t, same, id(func(*request) {}), "the same command finds the same run")
	assert.Equal(t, same, id(func(r *request) { r.onExist = onExistOverwrite }), "also when it insists")
	for name, change := range map[string]func(r *request){
		"target": func(r *request) { r.to = "txt" }, "quality": func(r *request) { r.quality = "high" }, "pages": func(r *request) { r.pages = "1" },
		"output": func(r *request) { r.output = "else.html" }, "input": func(r *request) { r.inputs = []string{"b.md"} },
	} {
		t.Run(name, func(t *testing.T) {
			assert.NotEqual(t, same, id(change), name)
		})
	}
	require.NoError(t, os.WriteFile("Bericht Ä (1).md", []byte("new content"), 0o600))
	assert.NotEqual(t, same, id(func(*request) {}), "other content is other work")
	assert.Equal(t, "file", slug("ÄÖÜ"))
	assert.LessOrEqual(t, len(slug(strings.Repeat("a-", 100))), 40)
}

func FuzzPlan(f *testing.F) {
	f.Add("a.md:html", "pdf", "o/x")
	f.Add(":", ",", "/")
	f.Fuzz(func(_ *testing.T, input, to, output string) {
		if strings.ContainsRune(output, 0) || strings.ContainsRune(input, 0) {
			return
		}
		_, _ = plan(request{inputs: []string{input}, to: to, output: output, onExist: onExistFail})
	})
}

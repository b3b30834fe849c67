package goals

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
)

// browser opens a headless Chromium. Where CI says that there must be one, its absence is a failure.
func browser(t *testing.T, width, height int) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CONVILYN_TEST_CHROMIUM") == "required" {
			require.NoError(t, err, "CONVILYN_TEST_CHROMIUM=required")
		}
		t.Skip("no chromium on the PATH; install it, or set CONVILYN_TEST_CHROMIUM=required to fail instead")
	}
	options := append(append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(width, height),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(time.Minute))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	require.NoError(t, chromedp.Do(ctx)) // the browser lives as long as the context of the first call
	return testkit.UntilTimeout(ctx, t)
}

// shot keeps a picture of the page where CONVILYN_SHOTS names a folder, for people to look at.
func shot(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		dir := os.Getenv("CONVILYN_SHOTS")
		if dir == "" {
			return nil
		}
		picture, err := chromedp.FullScreenshot(100)(ctx, target)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600)
	})
}

// truth waits until an expression holds in the page.
func truth(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Poll[bool](expression)(ctx, target)
		return err
	})
}

// A person answers a goal in a browser: opens the inbox, picks, sends, sees the question leave and the run end,
// without once reloading the page.
func TestAnsweredInABrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t, 1280, 900)
	b := fixture.New(t)
	s := b.Open("")
	for _, id := range []string{"other-1", "other-2"} {
		s.StartGoal(id, b.GoalInput(2))
		s.AwaitQuestion(id, "title")
	}
	input := b.GoalInput(3)
	input.Name = "Minutes of the board"
	link, _ := s.Links()
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(link), chromedp.WaitVisible(".cards")))
	run := s.StartGoal("minutes", input)
	// The order of its own files is what this run alone asks.
	// The list is drawn again as runs move on, so the card is looked for and clicked in one step.
	question := `document.evaluate('//li[contains(@class,"card")][contains(.,"order")][contains(.,"Minutes of the board")]/a[@class="cover"]',
		document, null, XPathResult.FIRST_ORDERED_NODE_TYPE).singleNodeValue`
	require.NoError(t, chromedp.Do(ctx,
		truth(question+` !== null`), // it has come by itself
		shot("list"),
		truth(`(card => { card?.click(); return card !== null })(`+question+`)`), chromedp.WaitVisible(`input[name="v:title"]`), shot("run"),
		chromedp.SetValue(`input[name="v:title"]`, "Board meetings"),
		chromedp.Click(`[data-order] li:nth-child(2) button`), // the second file goes first
		chromedp.Click(`input[name="v:paper"][value="letter"]`),
		shot("run-filled"),
		chromedp.Click(`.sender .primary`),
		chromedp.WaitVisible(`input[name="v:cover"][value="approve"]`), // the answers have left, and the cover has come
		truth(`document.querySelector(".previews img").naturalWidth > 100`), shot("checkpoint"),
		chromedp.Click(`input[name="v:cover"][value="approve"]`), chromedp.Click(`.sender .primary`),
		chromedp.WaitVisible(`//span[contains(@class,"state")][text()="completed"]`), shot("ended"),
		chromedp.Navigate(s.At.Inbox), chromedp.WaitVisible(".rows.ended"), shot("list-after"),
	))
	left, err := s.RunsClient().Waiting(t.Context(), 10)
	require.NoError(t, err)
	assert.Len(t, left, 2, "it waits no more")
	var result goal.Result
	require.NoError(t, run.Get(t.Context(), &result))
	assert.Equal(t, goal.ResultCompleted, result.Status)
	require.Len(t, result.Answers, 4)
	for _, receipt := range result.Answers {
		assert.Equal(t, "inbox", receipt.Channel)
	}
}

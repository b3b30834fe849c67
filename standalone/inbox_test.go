package main

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

	"github.com/convilyn/convilyn-temporal/workflows"
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
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	require.NoError(t, chromedp.Do(ctx)) // the browser lives as long as the context of the first call
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
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
// without once reloading.
func TestAnsweredInABrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t, 1280, 900)
	b := newBench(t)
	s := b.open("")
	for _, id := range []string{"other-1", "other-2"} {
		startGoal(t, s, id, b.goal(2))
		awaitQuestion(t, s, id, "title")
	}
	input := b.goal(3)
	input.Name = "Minutes of the board"
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(s.at.Inbox), chromedp.WaitVisible("#waits")))
	run := startGoal(t, s, "minutes", input)
	question := `//a[contains(@class,"question")][contains(.,"Minutes of the board")]`
	require.NoError(t, chromedp.Do(ctx,
		chromedp.WaitVisible(question), // it has come by itself
		shot("list"),
		chromedp.Click(question), chromedp.WaitVisible(`[data-slot=title] input`), shot("run"),
		chromedp.SetValue(`[data-slot=title] input`, "Board meetings"),
		chromedp.Click(`[data-slot=order] li:nth-child(2) button[aria-label$=" up"]`), // the second file goes first
		chromedp.Click(`[data-slot=paper] input[value=letter]`),
		shot("run-filled"),
		chromedp.Click(`[data-send]`),
		chromedp.WaitVisible(`.flash`), shot("sent"),
	))
	cover := `//a[contains(@class,"question")][contains(.,"over")][contains(.,"Minutes of the board")]`
	require.NoError(t, chromedp.Do(ctx,
		chromedp.WaitVisible(cover), chromedp.Click(cover), chromedp.WaitVisible(`[data-slot=cover] figure img`),
		truth(`document.querySelector("[data-slot=cover] figure img").naturalWidth > 100`), shot("checkpoint"),
		chromedp.Click(`[data-slot=cover] input[value=approve]`), chromedp.Click(`[data-send]`),
		chromedp.WaitVisible(`//ul[@class="runs"]//a[contains(.,"Minutes of the board")]/span[contains(@class,"completed")]`), shot("ended"),
		chromedp.Click(`//ul[@class="runs"]//a[contains(.,"Minutes of the board")]`), chromedp.WaitVisible(`#ledger`), shot("ledger"),
	))
	var result workflows.RunGoalResult
	require.NoError(t, run.Get(t.Context(), &result))
	assert.Equal(t, workflows.GoalResultCompleted, result.Status)
	require.Len(t, result.Answers, 4)
	for _, receipt := range result.Answers {
		assert.Equal(t, "inbox", receipt.Channel)
	}
}

package goals_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/convilyn/convilyn-temporal/backend/goals"
)

func TestFind(t *testing.T) {
	for text, want := range map[string][]string{
		"write to Aase.Noergaard+ferry@Example.ORG.": {"e-mail aase.noergaard+ferry@example.org"},
		"<mailto:a@b.co>, b@c.example.":              {"e-mail a@b.co", "e-mail b@c.example"},
		`Markdown john\_doe@example\.org here`:       {"e-mail john_doe@example.org"},
		"søren@blåbær.dk und 'x@y.de'":               {"e-mail søren@blåbær.dk", "e-mail x@y.de"},
		"@home a@b @ c@ 5@x":                         nil,

		"card 4111 1111 1111 1111, 12/29": {"card number 4111111111111111"},
		"_5500-0000-0000-0004_":           {"card number 5500000000000004"},
		"4111 1111 1111 1111 2026":        {"card number 4111111111111111"},
		"378282246310005;371449635398431": {"card number 378282246310005", "card number 371449635398431"},
		"4111 1111 1111 1112":             nil,
		"order 94111111111111111":         nil,
		"2222222222222222":                nil,

		"IBAN DE89 3704 0044 0532 0130 00 bei der":         {"IBAN DE89370400440532013000"},
		"gb29nwbk60161331926819":                           {"IBAN GB29NWBK60161331926819"},
		"NO9386011117947. Und FR1420041010050500013M02606": {"IBAN NO9386011117947", "IBAN FR1420041010050500013M02606"},
		"DE88370400440532013000":                           nil,
		"XDE89370400440532013000":                          nil,

		"call +45 62 52 40 00 now":                    {"phone number +4562524000"},
		"+49 (0)30 / 123-4567":                        {"phone number +490301234567"},
		"0045 62524000, (030) 123 45 67":              {"phone number +4562524000", "phone number 0301234567"},
		"tel:+14155550132":                            {"phone number +14155550132"},
		"(415) 555-0132 or 415-555-0132":              {"phone number 4155550132", "phone number 4155550132"},
		"62 52 40 00":                                 {"phone number 62524000"},
		"on 01.02.2026 10:00, 2026-11-24, 24-11-2026": nil,
		"€ 4 200, 13 800, 0.123456789, 1984":          nil,
		"01.02.2026 030 1234567":                      {"phone number 0301234567"},
		"":                                            nil,
	} {
		t.Run(text, func(t *testing.T) {
			var got []string
			for _, f := range goals.Find(text) {
				got = append(got, f.Kind+" "+f.Value)
			}
			assert.Equal(t, want, got, text)
		})
	}
}

func TestNumberChecks(t *testing.T) {
	for digits, want := range map[string]bool{"4111111111111111": true, "4111111111111112": false, "79927398713": true, "79927398710": false, "0000000000000": false} {
		t.Run(digits, func(t *testing.T) {
			assert.Equal(t, want, goals.IsCard(digits), digits)
		})
	}
	for iban, want := range map[string]bool{
		"GB82WEST12345698765432": true, "GB82WEST12345698765433": false, "DE89370400440532013000": true, "SA0380000000608010167519": true, "CH9300762011623852957": true,
		"GB28WEST12345698765432": false, "": false, "GB82 EST12345698765432": false,
	} {
		t.Run(iban, func(t *testing.T) {
			assert.Equal(t, want, goals.IsIBAN(iban), iban)
		})
	}
}

// TestChecksFindSlips: one wrong digit never passes either check.
func TestChecksFindSlips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := []byte(rapid.StringMatching(`[2-6][0-9]{14}`).Draw(t, "digits"))
		full := ""
		for d := byte('0'); d <= '9'; d++ {
			if goals.IsCard(string(append(slices.Clone(digits), d))) {
				require.Empty(t, full, "one check digit alone fits")
				full = string(append(slices.Clone(digits), d))
			}
		}
		require.NotEmpty(t, full)
		iban := ""
		body := rapid.StringMatching(`[A-Z0-9]{18}`).Draw(t, "body")
		for check := 2; check <= 98; check++ {
			if candidate := fmt.Sprintf("DE%02d%s", check, body); goals.IsIBAN(candidate) {
				require.Empty(t, iban)
				iban = candidate
			}
		}
		require.NotEmpty(t, iban)
		at := rapid.IntRange(4, 21).Draw(t, "at")
		other := rapid.StringMatching(`[A-Z0-9]`).Draw(t, "other")
		slipped := iban[:at] + other + iban[at+1:]
		if isDigitOf(other) == isDigitOf(iban[at:at+1]) {
			assert.Equal(t, slipped == iban, goals.IsIBAN(slipped), "%s %s", iban, slipped)
		}
	})
}

func isDigitOf(s string) bool { return s[0] >= '0' && s[0] <= '9' }

// secrets draws texts in which values of all kinds stand among words, signs and each other.
func secrets() *rapid.Generator[string] {
	bit := rapid.OneOf(
		rapid.SampledFrom([]string{
			"a.b@example.org", "A.B@example.org", "x@y.dk", "4111 1111 1111 1111", "4111111111111111", "DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819",
			"+45 62 52 40 00", "0045 62524000", "030 1234567", "415-555-0132", "62 52 40 00", "62 52 40 00 62 52 40 00", "+4111 1111 1111 1111",
		}),
		rapid.SampledFrom([]string{" ", " ", "\n", ",", ".", "@", "-", "/", "(", ")", "\"", "_", "\\", "\u00a0", "é", "日本", "😀", "\r\n", "0", "7", "+", "DE"}),
		rapid.StringN(0, 6, -1),
	)
	return rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(bit, 0, 12).Draw(t, "bits"), "") })
}

func TestRedactedTextHoldsNoneOfTheChosen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := secrets().Draw(t, "text")
		var chosen []string
		for _, f := range goals.Find(text) {
			if rapid.Bool().Draw(t, "take") {
				chosen = append(chosen, f.ID)
			}
		}
		style := rapid.SampledFrom([]string{"label", "blocks"}).Draw(t, "style")
		out, err := goals.RedactText(text, chosen, style)
		require.NoError(t, err)
		for _, f := range goals.Find(out) {
			assert.NotContains(t, chosen, f.ID, "%q became %q", text, out)
		}
		if len(chosen) == 0 {
			assert.Equal(t, text, out)
		}
	})
}

func FuzzFind(f *testing.F) {
	f.Add("a@b.co 4111 1111 1111 1111 DE89 3704 0044 0532 0130 00 +45 62 52 40 00 (415) 555-0132")
	f.Add("\\_@x.y+0(0")
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		var all []string
		for _, found := range goals.Find(text) {
			if found.Start < last || found.End <= found.Start || found.End > len(text) {
				t.Fatalf("%q: %+v after %d", text, found, last)
			}
			if utf8.ValidString(text) && !utf8.ValidString(text[found.Start:found.End]) {
				t.Fatalf("%q: %+v cuts a letter", text, found)
			}
			last = found.End
			all = append(all, found.ID)
		}
		out, err := goals.RedactText(text, all, "blocks")
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		for _, found := range goals.Find(out) {
			if slices.Contains(all, found.ID) {
				t.Fatalf("%q became %q, which still holds %q", text, out, found.Value)
			}
		}
	})
}

func TestMatch(t *testing.T) {
	ids := func(text string, formats ...string) []string {
		var out []string
		for _, g := range goals.Match(text, formats, goals.All()) {
			out = append(out, strings.TrimPrefix(g.ID, "goal_lane."))
		}
		return out
	}
	assert.Equal(t, []string{"document_binder"}, ids("Please COMBINE these into one PDF with a cover!", "md", "docx"))
	assert.Equal(t, []string{"redactor"}, ids("anonymize this", "txt"))
	assert.Equal(t, []string{"table_extractor"}, ids("extract the sheets as json", "xlsx"))
	assert.Equal(t, []string{"image_set"}, ids("resize my photos", "jpg", "png"))
	assert.Empty(t, ids("resize my photos", "jpg", "docx"), "a goal takes all of the files or none")
	assert.Empty(t, ids("make me a sandwich", "txt"))
	assert.Empty(t, ids("", "txt"))
	assert.Equal(t, []string{"document_binder", "image_set"}, ids("join the photos", "png"), "those with as many words")
}

func TestCatalog(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range goals.All() {
		assert.True(t, strings.HasPrefix(g.ID, "goal_lane."), g.ID)
		assert.False(t, seen[g.ID], g.ID)
		seen[g.ID] = true
		assert.NotEmpty(t, g.Name)
		assert.NotEmpty(t, g.Description)
		assert.NotEmpty(t, g.Types)
		assert.NotEmpty(t, g.Formats)
		assert.Positive(t, g.MinFiles)
		assert.Positive(t, g.RequiredSlots)
		assert.NotNil(t, g.Run)
		for _, word := range g.Words {
			assert.Equal(t, strings.ToLower(word), word)
		}
	}
}

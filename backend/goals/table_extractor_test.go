package goals_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"github.com/convilyn/convilyn-temporal/backend/goals"
)

func workbook(tb testing.TB, sheets map[string][][]any, names ...string) []byte {
	tb.Helper()
	book := excelize.NewFile()
	defer book.Close()
	for i, name := range names {
		if i == 0 {
			require.NoError(tb, book.SetSheetName("Sheet1", name))
		} else {
			_, err := book.NewSheet(name)
			require.NoError(tb, err)
		}
		for r, row := range sheets[name] {
			cell, err := excelize.CoordinatesToCellName(1, r+1)
			require.NoError(tb, err)
			require.NoError(tb, book.SetSheetRow(name, cell, &row))
		}
	}
	var out bytes.Buffer
	require.NoError(tb, book.Write(&out))
	return out.Bytes()
}

func TestTables(t *testing.T) {
	j := start(t, "goal_lane.table_extractor", input(t, "shop.xlsx", workbook(t, map[string][][]any{
		"Sales": {{"Harbour shop"}, {"Item", "Price", "Item", "Note"}, {"rope | thick", 12.5, "x", "says \"aye\",\ntwice"}, {"007", -3, nil, "<b>*bold*</b>"}},
		"Crew":  {{"Staff"}, {"Name", "Age", "Town", "Since"}, {"Åse", 42, "Ærø", 1999}},
	}, "Sales", "Empty", "Crew")))
	slots := j.asked("sheets", "header_row", "formats")
	require.Len(t, slots["sheets"].Options, 3)
	assert.Equal(t, "Sales (4 x 4)", slots["sheets"].Options[0].Label)
	assert.Equal(t, "Empty (empty)", slots["sheets"].Options[1].Label)
	assert.JSONEq(t, `["Sales","Crew"]`, string(slots["sheets"].SuggestedValue))
	assert.JSONEq(t, `2`, string(slots["header_row"].SuggestedValue))
	assert.Greater(t, *slots["header_row"].SuggestedConfidence, 0.8)
	j.accept()
	j.answer("formats", []string{"csv", "json", "markdown"})
	j.confirm()
	out := j.done()
	require.Len(t, out, 6)
	assert.Contains(t, strings.Join(j.last.Warnings, "\n"), "above the headings")

	rows, err := csv.NewReader(bytes.NewReader(out["shop-Sales.csv"])).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, [][]string{{"Item", "Price", "Item", "Note"}, {"rope | thick", "12.5", "x", "says \"aye\",\ntwice"}, {"007", "-3", "", "<b>*bold*</b>"}}, rows)
	assert.Contains(t, string(out["shop-Sales.csv"]), "Note\r\n", "lines end as RFC 4180 has it")

	assert.JSONEq(t, `[{"Item":"rope | thick","Price":12.5,"Item (2)":"x","Note":"says \"aye\",\ntwice"},{"Item":"007","Price":-3,"Item (2)":null,"Note":"<b>*bold*</b>"}]`, string(out["shop-Sales.json"]))
	assert.Less(t, bytes.Index(out["shop-Sales.json"], []byte(`"Item"`)), bytes.Index(out["shop-Sales.json"], []byte(`"Price"`)), "keys stand in the order of the columns")

	var page bytes.Buffer
	require.NoError(t, goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert(out["shop-Sales.md"], &page))
	assert.Contains(t, page.String(), "<td>rope | thick</td>")
	assert.Contains(t, page.String(), "&lt;b&gt;*bold*&lt;/b&gt;")
	assert.Equal(t, 4, strings.Count(page.String(), "<th>"))
	assert.Contains(t, string(out["shop-Crew.json"]), `"Name": "Åse"`)
}

func TestTablesOfSeveralFiles(t *testing.T) {
	j := start(t, "goal_lane.table_extractor", example(t, "budget.xlsx"), input(t, "budget.csv", []byte("1;2\n3;4\n")), input(t, "broken.xlsx", []byte("no")))
	slots := j.asked("sheets", "header_row", "formats")
	assert.Equal(t, "budget.xlsx/Income", slots["sheets"].Options[0].Value)
	assert.Equal(t, "Costs of budget.xlsx (4 x 2)", slots["sheets"].Options[1].Label)
	j.answer("sheets", []string{"budget.xlsx/Costs", "budget.csv/budget"})
	j.answer("header_row", 0)
	j.answer("formats", []string{"json", "csv", "markdown"})
	j.confirm()
	out := j.done()
	assert.Equal(t, "1,2\r\n3,4\r\n", string(out["budget.csv"]))
	assert.Contains(t, string(out["budget.md"]), "| A   | B   |")
	assert.JSONEq(t, `[{"A":1,"B":2},{"A":3,"B":4}]`, string(out["budget.json"]))
	var costs []map[string]any
	require.NoError(t, json.Unmarshal(out["budget-Costs.json"], &costs))
	assert.Equal(t, map[string]any{"A": "What", "B": "€"}, costs[0])
	assert.Equal(t, 18250.75, costs[1]["B"])
	require.Len(t, j.last.Missing, 1)
	assert.Contains(t, j.last.Missing[0], "broken.xlsx")
	assert.Contains(t, strings.Join(j.last.Warnings, "\n"), "best_effort: budget.csv: the values were taken to be separated by ';'")
}

func TestTablesWithoutHeadings(t *testing.T) {
	j := start(t, "goal_lane.table_extractor", input(t, "a.xlsx", workbook(t, map[string][][]any{"One": {{"x", "y"}, {1, 2}, {3, 4}}, "Two": {{"z"}}}, "One", "Two")))
	j.asked("sheets", "header_row", "formats")
	j.accept()
	j.answer("header_row", 2)
	j.confirm()
	out := j.done()
	assert.Equal(t, "1,2\r\n3,4\r\n", string(out["a-One.csv"]))
	require.Len(t, j.last.Missing, 1)
	assert.Contains(t, j.last.Missing[0], "Two has 1 row, and so no headings in row 2")
	j.answers["sheets"] = json.RawMessage(`["Two"]`)
	var failure *goals.Failure
	require.ErrorAs(t, j.once(), &failure)
	assert.Equal(t, goals.CodeUnusable, failure.Code)
}

func TestTablesOfNothing(t *testing.T) {
	for name, data := range map[string][]byte{"a.csv": []byte("\x00\x01"), "a.xlsx": []byte("PK"), "b.xlsx": workbook(t, nil, "Blank"), "b.csv": nil} {
		t.Run(name, func(t *testing.T) {
			var failure *goals.Failure
			require.ErrorAs(t, start(t, "goal_lane.table_extractor", input(t, name, data)).pass(), &failure, name)
			assert.Equal(t, goals.CodeUnusable, failure.Code)
			assert.Contains(t, failure.Message, name)
		})
	}
}

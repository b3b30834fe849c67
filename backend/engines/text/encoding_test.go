package text_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/convilyn/convilyn-temporal/backend/engines/text"
)

func encoded(t *testing.T, content, name string) []byte {
	t.Helper()
	found, err := htmlindex.Get(name)
	require.NoError(t, err)
	data, err := found.NewEncoder().Bytes([]byte(content))
	require.NoError(t, err, "%s has these letters", name)
	return data
}

// A text that names no encoding is read in the one that it looks like, and a note names the guess.
func TestDecodeText_GuessesTheEncoding(t *testing.T) {
	for _, test := range []struct{ name, encoding, content, note string }{
		{"Russian, a table", "windows-1251", "Имя,Город\nАнна,Москва\n", "Windows-1251"},
		{"Russian, two words", "windows-1251", "Привет, мир", "Windows-1251"},
		{"Russian, KOI8-R", "koi8-r", "Уважаемые коллеги, направляем вам договор на поставку оборудования.", "KOI8-R"},
		{"Russian, DOS", "ibm866", "Уважаемые коллеги, направляем вам договор на поставку.", "IBM866"},
		{"Greek", "windows-1253", "Αθήνα, Ελλάδα. Καλημέρα κόσμε, Άνοιξη", "Windows-1253"},
		{"Hebrew", "windows-1255", "שלום עולם, מה שלומך", "Windows-1255"},
		{"Japanese, a table", "shift_jis", "名前,年齢\n田中,30\n", "Shift_JIS"},
		{"Japanese, a sentence", "shift_jis", "東京都の天気は晴れです。", "Shift_JIS"},
		{"Japanese, EUC", "euc-jp", "東京都の天気は晴れです。", "EUC-JP"},
		{"Japanese, 7 bits", "iso-2022-jp", "東京都の天気は晴れです。", ""},
		{"Chinese, a table", "gbk", "姓名,年龄\n张三,30\n", "GB18030"},
		{"Chinese, traditional", "big5", "姓名,年齡\n王小明,30\n", "Big5"},
		{"Korean", "euc-kr", "이름,나이\n김철수,30\n", "EUC-KR"},
		{"German", "windows-1252", "Größe, Höhe\nMüller, Straße 5\n", "Windows-1252"},
		{"German, a letter", "windows-1252", "Sehr geehrte Frau Müller,\n\nfür Ihre Anfrage über 12 Stühle danken wir. Grüße aus Köln", "Windows-1252"},
		{"French", "windows-1252", "Café crème à 5 €, déjà payé. L’été où l’hôtel était fermé : ça m’a coûté cher.", "Windows-1252"},
		{"Spanish", "windows-1252", "Señor Muñoz, año 2024. ¿Qué?", "Windows-1252"},
		{"Danish", "windows-1252", "Færgen sejler fra Ærøskøbing kl. 5 på lørdage", "Windows-1252"},
		{"English quotation marks", "windows-1252", "It’s the “quoted” words – “that’s” what’s here", "Windows-1252"},
		{"a sign of money", "windows-1252", "Total: 100 €\nfoo bar baz", "Windows-1252"},
		{"UTF-16 without a mark", "utf-16le", "Name;Größe\nAnna;5\n", ""},
		{"UTF-16, big end first, without a mark", "utf-16be", "Name;Größe\nAnna;5\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, warning, err := text.DecodeText(encoded(t, test.content, test.encoding))
			require.NoError(t, err)
			assert.Equal(t, test.content, got)
			if assert.Contains(t, warning, test.note); test.note == "" {
				assert.Empty(t, warning)
			}
		})
	}
}

// One byte that is cut off must not make a text of UTF-8 one of another encoding.
func TestDecodeText_KeepsUTF8WithBrokenBytes(t *testing.T) {
	got, warning, err := text.DecodeText([]byte("Größe, Höhe, Müller, Straße, Łódź \xff und \xc3"))
	require.NoError(t, err)
	assert.Equal(t, "Größe, Höhe, Müller, Straße, Łódź \uFFFD und \uFFFD", got)
	assert.Contains(t, warning, "is not valid UTF-8 everywhere: � is in 2 places")
}

// A page says in which encoding it is, in one of several ways.
func TestDecodePage_ReadsTheDeclaration(t *testing.T) {
	for _, test := range []struct{ name, encoding, head, content, note string }{
		{"meta charset", "windows-1251", "<meta charset=windows-1251>", "Да", ""},
		{"http-equiv", "shift_jis", `<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">`, "東京", ""},
		{"XML declaration", "windows-1251", `<?xml version="1.0" encoding="windows-1251"?>`, "Да", ""},
		{"Western, declared", "windows-1252", "<META CHARSET='windows-1252'>", "été", ""},
		{"none, which is guessed", "windows-1251", "", "Уважаемые коллеги, направляем вам договор", "Windows-1251"},
		{"another than it names", "utf-8", "<meta charset=windows-1251>", "Да, Ёж", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := test.head + "<p>" + test.content
			got, warning, err := text.DecodePage(encoded(t, page, test.encoding))
			require.NoError(t, err)
			assert.Equal(t, page, got)
			if assert.Contains(t, warning, test.note); test.note == "" {
				assert.Empty(t, warning)
			}
		})
	}
	_, warning, err := text.DecodePage([]byte("<meta charset=shift_jis><p>\x82\xa0\xff\xff"))
	require.NoError(t, err)
	assert.Contains(t, warning, "not valid shift_jis everywhere")
}

#include "rules/lexer.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

#include "base/clock.h"
#include "base/yaml.h"

static const struct {
        const char *text;
        TokenType type;
} operators[] = {
        /* the longer ones first */
        { "<=", TOKEN_LE },
        { ">=", TOKEN_GE },
        { "==", TOKEN_EQ },
        { "!=", TOKEN_NE },
        { "<", TOKEN_LT },
        { ">", TOKEN_GT },
        { "+", TOKEN_PLUS },
        { "-", TOKEN_MINUS },
        { "*", TOKEN_TIMES },
        { "/", TOKEN_DIVIDE },
        { "(", TOKEN_OPEN },
        { ")", TOKEN_CLOSE },
        { ",", TOKEN_COMMA },
};

static const struct {
        const char *text;
        TokenType type;
} keywords[] = {
        { "and", TOKEN_AND },
        { "or", TOKEN_OR },
        { "not", TOKEN_NOT },
        { "by", TOKEN_BY },
};

/* What other languages write. */
static const struct {
        const char *text, *instead;
} strangers[] = {
        { "&&", "and" },
        { "||", "or" },
        { "!", "not" },
        { "=", "==" },
};

bool token_is_keyword(const char *word) {
        for (size_t i = 0; i < ELEMENTS(keywords); i++)
                if (streq(word, keywords[i].text))
                        return true;
        return false;
}

const char *token_nearest_keyword(const char *word) {
        const char *texts[ELEMENTS(keywords)];
        char small[WORD_MAX];
        size_t n = 0;

        for (; n < sizeof small - 1 && word[n]; n++)
                small[n] = (char) tolower((unsigned char) word[n]);
        small[n] = '\0';
        for (size_t i = 0; i < ELEMENTS(keywords); i++)
                texts[i] = keywords[i].text;
        return nearest_word(small, texts, ELEMENTS(texts));
}

static bool is_word(char c) {
        return isalnum((unsigned char) c) || c == '_' || c == '.';
}

/* The length of a name, a number (also 1e-3) or a duration. */
static size_t word_length(const char *text) {
        bool number = !isalpha((unsigned char) *text) && *text != '_';
        size_t n = 0;

        while (is_word(text[n])) {
                bool exponent = number && (text[n] == 'e' || text[n] == 'E');
                n++;
                if (exponent && (text[n] == '+' || text[n] == '-'))
                        n++;
        }
        return n;
}

static int read_name(Token *t) {
        t->type = TOKEN_NAME;
        for (size_t i = 0; i < ELEMENTS(keywords); i++)
                if (streq(t->text, keywords[i].text))
                        t->type = keywords[i].type;
        return 0;
}

/* "10min": a number with a unit that there is not. */
static const char *find_unknown_unit(const char *text) {
        const char *unit = text + strspn(text, "0123456789.");
        char one[WORD_MAX] = "1";
        int64_t us;

        for (size_t i = 0; unit[i]; i++) {
                if (!isalpha((unsigned char) unit[i]))
                        return NULL;
                one[i + 1] = unit[i];
                one[i + 2] = '\0';
        }
        return one[1] && duration_parse(one, &us) < 0 ? unit : NULL;
}

static int read_number(Token *t, Error *e) {
        const char *unit;
        char *end;

        if (duration_parse(t->text, &t->duration_us) == 0) {
                t->type = TOKEN_DURATION;
                return 0;
        }
        if ((unit = find_unknown_unit(t->text)))
                return error_set(e, -EINVAL, "'%s': unknown unit '%s': expected us, ms, s, m, h, d or w",
                                t->text, unit);
        /* strtod alone would also take hexadecimal numbers */
        t->number = strtod(t->text, &end);
        if (strspn(t->text, "0123456789.eE+-") != t->len || *end != '\0')
                return error_set(e, -EINVAL,
                                "'%s': expected a number such as 38.5 or a duration such as 30s", t->text);
        if (!isfinite(t->number))
                return error_set(e, -EINVAL, "'%s': number is too large", t->text);
        t->type = TOKEN_NUMBER;
        return 0;
}

static int read_word(const char *text, Token *t, Error *e) {
        t->len = word_length(text);
        if (t->len >= sizeof t->text)
                return error_set(e, -EINVAL, "'%.20s...': longer than %d characters", text, WORD_MAX - 1);
        memcpy(t->text, text, t->len);
        t->text[t->len] = '\0';
        return isalpha((unsigned char) *text) || *text == '_' ? read_name(t) : read_number(t, e);
}

int token_read(const char *text, size_t offset, Token *ret, Error *e) {
        offset += strspn(text + offset, " \t\r\n");
        *ret = (Token){ .offset = offset };

        const char *at = text + offset;
        if (*at == '\0')
                return 0;
        if (is_word(*at))
                return read_word(at, ret, e);
        for (size_t i = 0; i < ELEMENTS(operators); i++)
                if (startswith(at, operators[i].text)) {
                        ret->type = operators[i].type;
                        ret->len = strlen(operators[i].text);
                        memcpy(ret->text, operators[i].text, ret->len + 1);
                        return 0;
                }
        for (size_t i = 0; i < ELEMENTS(strangers); i++)
                if (startswith(at, strangers[i].text))
                        return error_set(e, -EINVAL, "'%s': write '%s'", strangers[i].text,
                                        strangers[i].instead);
        if (isprint((unsigned char) *at))
                return error_set(e, -EINVAL, "unexpected '%c'", *at);
        return error_set(e, -EINVAL, "unexpected byte 0x%02x", (unsigned char) *at);
}

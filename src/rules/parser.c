/* Text -> postfix program, by precedence climbing. Each part is a number or a condition, and the difference is checked
 * here, so that evaluation needs no types. */
#include <errno.h>
#include <stdio.h>

#include "rules/expression.h"
#include "rules/lexer.h"

typedef enum Type { TYPE_NUMBER, TYPE_CONDITION } Type;

typedef struct Parser {
        const char *text;
        const Catalogue *catalogue;
        Token token; /* the next one */
        Op *ops;
        size_t count;
        unsigned stack, depth;
        size_t *offset; /* where the mistake is */
        Error *e;
} Parser;

typedef struct Binary {
        TokenType token;
        OpCode code;
        int precedence;
        Type operands, result;
        const char *text;
} Binary;

enum {
        PRECEDENCE_OR = 1,
        PRECEDENCE_AND,
        PRECEDENCE_COMPARE,
        PRECEDENCE_SUM,
        PRECEDENCE_TERM,
        PRECEDENCE_UNARY
};

static const Binary binaries[] = {
        { TOKEN_OR, OP_OR, PRECEDENCE_OR, TYPE_CONDITION, TYPE_CONDITION, "or" },
        { TOKEN_AND, OP_AND, PRECEDENCE_AND, TYPE_CONDITION, TYPE_CONDITION, "and" },
        { TOKEN_LT, OP_LT, PRECEDENCE_COMPARE, TYPE_NUMBER, TYPE_CONDITION, "<" },
        { TOKEN_LE, OP_LE, PRECEDENCE_COMPARE, TYPE_NUMBER, TYPE_CONDITION, "<=" },
        { TOKEN_GT, OP_GT, PRECEDENCE_COMPARE, TYPE_NUMBER, TYPE_CONDITION, ">" },
        { TOKEN_GE, OP_GE, PRECEDENCE_COMPARE, TYPE_NUMBER, TYPE_CONDITION, ">=" },
        { TOKEN_EQ, OP_EQ, PRECEDENCE_COMPARE, TYPE_NUMBER, TYPE_CONDITION, "==" },
        { TOKEN_NE, OP_NE, PRECEDENCE_COMPARE, TYPE_NUMBER, TYPE_CONDITION, "!=" },
        { TOKEN_PLUS, OP_ADD, PRECEDENCE_SUM, TYPE_NUMBER, TYPE_NUMBER, "+" },
        { TOKEN_MINUS, OP_SUBTRACT, PRECEDENCE_SUM, TYPE_NUMBER, TYPE_NUMBER, "-" },
        { TOKEN_TIMES, OP_MULTIPLY, PRECEDENCE_TERM, TYPE_NUMBER, TYPE_NUMBER, "*" },
        { TOKEN_DIVIDE, OP_DIVIDE, PRECEDENCE_TERM, TYPE_NUMBER, TYPE_NUMBER, "/" },
};

static int parse(Parser *p, int precedence, Type *ret);

static int fail_at(Parser *p, size_t offset) {
        *p->offset = offset;
        return -EINVAL;
}

static int expected(Parser *p, const char *what) {
        if (p->token.type == TOKEN_END)
                (void) error_set(p->e, -EINVAL, "expected %s, found the end of the expression", what);
        else
                (void) error_set(p->e, -EINVAL, "expected %s, found '%s'", what, p->token.text);
        return fail_at(p, p->token.offset);
}

static int next(Parser *p) {
        size_t offset = p->token.offset + p->token.len;

        int r = token_read(p->text, offset, &p->token, p->e);
        return r < 0 ? fail_at(p, p->token.offset) : 0;
}

static int accept(Parser *p, TokenType type, const char *what) {
        return p->token.type == type ? next(p) : expected(p, what);
}

/* pushed: what the operation adds to the stack. */
static int emit(Parser *p, const Op *op, int pushed) {
        p->stack = (unsigned) ((int) p->stack + pushed);
        if (p->count == EXPRESSION_OPS_MAX || p->stack > EXPRESSION_STACK_MAX) {
                (void) error_set(p->e, -EINVAL, "expression is too long: split it into two rules");
                return fail_at(p, p->token.offset);
        }
        p->ops[p->count++] = *op;
        return 0;
}

static int check_type(Parser *p, Type got, Type want, const char *operator, size_t offset) {
        if (got == want)
                return 0;
        if (want == TYPE_CONDITION)
                (void) error_set(p->e, -EINVAL,
                                "'%s' joins conditions: expected a comparison such as spo2 < 90, found a "
                                "number",
                                operator);
        else
                (void) error_set(p->e, -EINVAL,
                                "'%s' takes numbers: found a condition (conditions are joined by 'and', "
                                "'or')",
                                operator);
        return fail_at(p, offset);
}

static int parse_vital(Parser *p, const Token *name, const Vital **ret) {
        *ret = catalogue_find(p->catalogue, name->text);
        if (*ret)
                return 0;
        const char *near = catalogue_nearest(p->catalogue, name->text);
        if (near)
                (void) error_set(p->e, -EINVAL, "unknown vital '%s': did you mean '%s'?", name->text, near);
        else
                (void) error_set(p->e, -EINVAL,
                                "unknown vital '%s': expected one of the catalogue's, such as hr",
                                name->text);
        return fail_at(p, name->offset);
}

/* absent(vital, duration), from behind the opening parenthesis */
static int parse_absent(Parser *p) {
        Token name = p->token;
        const Vital *v;

        int r = accept(p, TOKEN_NAME, "a vital");
        if (r < 0)
                return r;
        r = parse_vital(p, &name, &v);
        if (r < 0)
                return r;
        r = accept(p, TOKEN_COMMA, "',' and a duration");
        if (r < 0)
                return r;
        int64_t age_us = p->token.duration_us;
        if (p->token.type != TOKEN_DURATION || age_us < AGE_MIN || age_us > AGE_MAX)
                return expected(p, "a duration from 1s to 7d");
        r = next(p);
        if (r < 0)
                return r;
        r = accept(p, TOKEN_CLOSE, "')'");
        if (r < 0)
                return r;
        return emit(p, &(Op){ .code = OP_ABSENT, .vital = v->id, .age_us = age_us }, 1);
}

typedef struct Function {
        const char *name, *usage;
        Type type;
        int (*parse)(Parser *p);
} Function;

static const Function functions[] = {
        { "absent", "absent(vital, duration)", TYPE_CONDITION, parse_absent },
};

static int parse_call(Parser *p, const Token *name, Type *ret) {
        char list[256] = "";
        size_t used = 0;

        for (size_t i = 0; i < ELEMENTS(functions); i++)
                if (streq(name->text, functions[i].name)) {
                        *ret = functions[i].type;
                        int r = next(p);
                        return r < 0 ? r : functions[i].parse(p);
                }
        for (size_t i = 0; i < ELEMENTS(functions) && used < sizeof list; i++) {
                int n = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", functions[i].usage);
                used += n > 0 ? (size_t) n : 0;
        }
        (void) error_set(p->e, -EINVAL, "unknown function '%s': expected one of: %s", name->text, list);
        return fail_at(p, name->offset);
}

/* A vital's value or a function's, after its name. */
static int parse_name(Parser *p, const Token *name, Type *ret) {
        const Vital *v;

        if (p->token.type == TOKEN_OPEN)
                return parse_call(p, name, ret);
        int r = parse_vital(p, name, &v);
        if (r < 0)
                return r;
        *ret = TYPE_NUMBER;
        return emit(p, &(Op){ .code = OP_VITAL, .vital = v->id }, 1);
}

static int parse_not(Parser *p, Type *ret) {
        size_t offset = p->token.offset;

        int r = parse(p, PRECEDENCE_COMPARE, ret);
        if (r < 0)
                return r;
        r = check_type(p, *ret, TYPE_CONDITION, "not", offset);
        return r < 0 ? r : emit(p, &(Op){ .code = OP_NOT }, 0);
}

static int parse_minus(Parser *p, Type *ret) {
        size_t offset = p->token.offset;

        int r = parse(p, PRECEDENCE_UNARY, ret);
        if (r < 0)
                return r;
        r = check_type(p, *ret, TYPE_NUMBER, "-", offset);
        return r < 0 ? r : emit(p, &(Op){ .code = OP_NEGATE }, 0);
}

static int parse_operand(Parser *p, Type *ret) {
        static const char what[] = "a vital, a number, a function, 'not' or '('";
        Token t = p->token;

        if (t.type != TOKEN_NAME && t.type != TOKEN_NUMBER && t.type != TOKEN_NOT && t.type != TOKEN_MINUS &&
                        t.type != TOKEN_OPEN)
                return expected(p, what);
        int r = next(p);
        if (r < 0)
                return r;
        if (t.type == TOKEN_NAME)
                return parse_name(p, &t, ret);
        if (t.type == TOKEN_NOT)
                return parse_not(p, ret);
        if (t.type == TOKEN_MINUS)
                return parse_minus(p, ret);
        if (t.type == TOKEN_OPEN) {
                r = parse(p, PRECEDENCE_OR, ret);
                return r < 0 ? r : accept(p, TOKEN_CLOSE, "an operator or ')'");
        }
        *ret = TYPE_NUMBER;
        return emit(p, &(Op){ .code = OP_NUMBER, .number = t.number }, 1);
}

static const Binary *find_binary(TokenType type) {
        for (size_t i = 0; i < ELEMENTS(binaries); i++)
                if (binaries[i].token == type)
                        return &binaries[i];
        return NULL;
}

/* Operators that bind at least as tightly as precedence, left to right. */
static int parse(Parser *p, int precedence, Type *ret) {
        size_t left_offset = p->token.offset, right_offset;
        const Binary *b;
        Type left = TYPE_NUMBER, right = TYPE_NUMBER;

        if (p->depth == EXPRESSION_DEPTH_MAX) {
                (void) error_set(p->e, -EINVAL, "nested deeper than %d levels", EXPRESSION_DEPTH_MAX);
                return fail_at(p, left_offset);
        }
        p->depth++;
        int r = parse_operand(p, &left);
        while (r == 0 && (b = find_binary(p->token.type)) && b->precedence >= precedence) {
                r = check_type(p, left, b->operands, b->text, left_offset);
                if (r < 0)
                        return r;
                r = next(p);
                if (r < 0)
                        return r;
                right_offset = p->token.offset;
                r = parse(p, b->precedence + 1, &right);
                if (r < 0)
                        return r;
                r = check_type(p, right, b->operands, b->text, right_offset);
                if (r < 0)
                        return r;
                left = b->result;
                r = emit(p, &(Op){ .code = b->code }, -1);
        }
        p->depth--;
        if (r == 0)
                *ret = left;
        return r;
}

/* The whole text is one condition that depends on a vital. */
static int parse_condition(Parser *p) {
        Type type = TYPE_NUMBER;

        int r = next(p);
        if (r < 0)
                return r;
        r = parse(p, PRECEDENCE_OR, &type);
        if (r < 0)
                return r;
        if (p->token.type != TOKEN_END)
                return expected(p, "an operator or the end of the expression");
        if (type != TYPE_CONDITION) {
                (void) error_set(p->e, -EINVAL, "expected a condition such as spo2 < 90, found a number");
                return fail_at(p, 0);
        }
        for (size_t i = 0; i < p->count; i++)
                if (p->ops[i].code == OP_VITAL || p->ops[i].code == OP_ABSENT)
                        return 0;
        (void) error_set(p->e, -EINVAL, "names no vital: it would never be evaluated");
        return fail_at(p, 0);
}

int expression_parse(const char *text, const Catalogue *c, Expression *ret, size_t *ret_offset, Error *e) {
        Op ops[EXPRESSION_OPS_MAX];
        Parser p = { .text = text, .catalogue = c, .ops = ops, .offset = ret_offset, .e = e };
        Expression x = { 0 };

        if (strlen(text) > EXPRESSION_LENGTH_MAX) {
                (void) error_set(e, -EINVAL, "longer than %d characters", EXPRESSION_LENGTH_MAX);
                return fail_at(&p, 0);
        }
        int r = parse_condition(&p);
        if (r < 0)
                return r;
        x.ops = malloc(p.count * sizeof *x.ops);
        if (!x.ops) {
                *ret_offset = 0;
                return error_set(e, -ENOMEM, "out of memory");
        }
        memcpy(x.ops, ops, p.count * sizeof *x.ops);
        x.count = p.count;
        while (x.value < x.count && x.ops[x.value].code != OP_VITAL)
                x.value++;
        *ret = x;
        return 0;
}

/* Text -> postfix program, by precedence climbing. Each part is a number or a condition, and the difference is checked
 * here, so that evaluation needs no types. */
#include "rules/parser.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

typedef struct Binary {
        TokenType token;
        Operator operator;
        int precedence;
        Type operands, result;
        const char *text;
} Binary;

static const Binary binaries[] = {
        { TOKEN_OR, OPERATOR_OR, PRECEDENCE_OR, TYPE_CONDITION, TYPE_CONDITION, "or" },
        { TOKEN_AND, OPERATOR_AND, PRECEDENCE_AND, TYPE_CONDITION, TYPE_CONDITION, "and" },
        { TOKEN_LT, OPERATOR_LT, PRECEDENCE_COMPARE, TYPE_NUMBER, TYPE_CONDITION, "<" },
        { TOKEN_LE, OPERATOR_LE, PRECEDENCE_COMPARE, TYPE_NUMBER, TYPE_CONDITION, "<=" },
        { TOKEN_GT, OPERATOR_GT, PRECEDENCE_COMPARE, TYPE_NUMBER, TYPE_CONDITION, ">" },
        { TOKEN_GE, OPERATOR_GE, PRECEDENCE_COMPARE, TYPE_NUMBER, TYPE_CONDITION, ">=" },
        { TOKEN_EQ, OPERATOR_EQ, PRECEDENCE_COMPARE, TYPE_NUMBER, TYPE_CONDITION, "==" },
        { TOKEN_NE, OPERATOR_NE, PRECEDENCE_COMPARE, TYPE_NUMBER, TYPE_CONDITION, "!=" },
        { TOKEN_PLUS, OPERATOR_ADD, PRECEDENCE_SUM, TYPE_NUMBER, TYPE_NUMBER, "+" },
        { TOKEN_MINUS, OPERATOR_SUBTRACT, PRECEDENCE_SUM, TYPE_NUMBER, TYPE_NUMBER, "-" },
        { TOKEN_TIMES, OPERATOR_MULTIPLY, PRECEDENCE_TERM, TYPE_NUMBER, TYPE_NUMBER, "*" },
        { TOKEN_DIVIDE, OPERATOR_DIVIDE, PRECEDENCE_TERM, TYPE_NUMBER, TYPE_NUMBER, "/" },
};

int parser_fail(Parser *p, size_t offset) {
        *p->offset = offset;
        return -EINVAL;
}

int parser_fail_age(Parser *p, size_t offset) {
        (void) error_set(p->e, -EINVAL, "age() is compared with a number of seconds: write age(spo2) > 30");
        return parser_fail(p, offset);
}

int parser_expected(Parser *p, const char *what) {
        if (p->token.type == TOKEN_END)
                (void) error_set(p->e, -EINVAL, "expected %s, found the end of the expression", what);
        else
                (void) error_set(p->e, -EINVAL, "expected %s, found '%s'", what, p->token.text);
        return parser_fail(p, p->token.offset);
}

int parser_next(Parser *p) {
        p->end = p->token.offset + p->token.len;

        int r = token_read(p->text, p->end, &p->token, p->e);
        return r < 0 ? parser_fail(p, p->token.offset) : 0;
}

int parser_accept(Parser *p, TokenType type, const char *what) {
        return p->token.type == type ? parser_next(p) : parser_expected(p, what);
}

static bool has_vital(const Op *op) {
        return op->code == OP_VITAL || op->code == OP_ABSENT || op->code == OP_AGE || op->code == OP_WINDOW;
}

int parser_emit(Parser *p, const Op *op, int pushed) {
        Program *x = p->program;

        x->stack = (unsigned) ((int) x->stack + pushed);
        if (x->count == EXPRESSION_OPS_MAX || x->stack > EXPRESSION_STACK_MAX) {
                (void) error_set(p->e, -EINVAL, "expression is too long: split it into two rules");
                return parser_fail(p, p->token.offset);
        }
        if (has_vital(op)) {
                x->vital = true;
                if (!p->in_count && p->vital == 0)
                        p->vital = p->name + 1;
        }
        x->ops[x->count++] = *op;
        return 0;
}

void parser_show(Parser *p) {
        if (p->program->value == 0)
                p->program->value = p->program->count;
}

static int emit_binary(Parser *p, Operator o) {
        return parser_emit(p, &(Op){ .code = OP_BINARY, .which = (uint8_t) o }, -1);
}

int parser_emit_else(Parser *p) {
        return emit_binary(p, OPERATOR_ELSE);
}

int parser_emit_fresh(Parser *p, VitalId vital) {
        const Op op = { .code = OP_VITAL, .vital = vital, .age_us = p->words->fresh_us[vital] };

        return parser_emit(p, &op, 1);
}

int parser_emit_assumed(Parser *p, VitalId vital) {
        double assumed = p->words->assume[vital];

        if (isnan(assumed))
                return 0;
        int r = parser_emit(p, &(Op){ .code = OP_NUMBER, .number = assumed }, 1);
        return r < 0 ? r : parser_emit_else(p);
}

int parser_find_vital(Parser *p, const Token *name, const Vital **ret) {
        *ret = catalogue_find(p->words->catalogue, name->text);
        return *ret ? 0 : mistake_name(p, name);
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
        return parser_fail(p, offset);
}

static Limit *find_limit(const Parser *p, const char *name) {
        for (size_t i = 0; i < p->words->limit_count; i++)
                if (streq(p->words->limits[i].name, name))
                        return &p->words->limits[i];
        return NULL;
}

/* A vital's value, a limit or what a function gives, after its name. */
static int parse_name(Parser *p, const Token *name, Type *ret) {
        const Vital *v;

        p->name = name->offset;
        if (p->token.type == TOKEN_OPEN)
                return parser_call(p, name, ret);
        *ret = TYPE_NUMBER;
        Limit *l = find_limit(p, name->text);
        if (l) {
                l->used = true;
                return parser_emit(p, &(Op){ .code = OP_LIMIT, .slot = l->row, .number = l->number }, 1);
        }
        int r = parser_find_vital(p, name, &v);
        if (r < 0)
                return r;
        r = parser_emit_fresh(p, v->id);
        if (r == 0)
                r = parser_emit_assumed(p, v->id);
        if (r == 0)
                parser_show(p);
        return r;
}

static int parse_not(Parser *p, Type *ret) {
        size_t offset = p->token.offset;

        int r = parser_operators(p, PRECEDENCE_COMPARE, ret);
        if (r < 0)
                return r;
        r = check_type(p, *ret, TYPE_CONDITION, "not", offset);
        return r < 0 ? r : parser_emit(p, &(Op){ .code = OP_NOT }, 0);
}

static int parse_minus(Parser *p, Type *ret) {
        size_t offset = p->token.offset;

        int r = parser_operators(p, PRECEDENCE_UNARY, ret);
        if (r < 0)
                return r;
        r = check_type(p, *ret, TYPE_NUMBER, "-", offset);
        return r < 0 ? r : parser_emit(p, &(Op){ .code = OP_NEGATE }, 0);
}

static int parse_operand(Parser *p, Type *ret) {
        Token t = p->token;

        if (t.type != TOKEN_NAME && t.type != TOKEN_NUMBER && t.type != TOKEN_NOT && t.type != TOKEN_MINUS &&
                        t.type != TOKEN_OPEN)
                return parser_expected(p, "a vital, a number, a function, 'not' or '('");
        int r = parser_next(p);
        if (r < 0)
                return r;
        if (t.type == TOKEN_NAME)
                return parse_name(p, &t, ret);
        if (t.type == TOKEN_NOT)
                return parse_not(p, ret);
        if (t.type == TOKEN_MINUS)
                return parse_minus(p, ret);
        if (t.type == TOKEN_OPEN) {
                r = parser_operators(p, PRECEDENCE_OR, ret);
                return r < 0 ? r : parser_accept(p, TOKEN_CLOSE, "an operator or ')'");
        }
        *ret = TYPE_NUMBER;
        return parser_emit(p, &(Op){ .code = OP_NUMBER, .number = t.number }, 1);
}

static const Binary *find_binary(TokenType type) {
        for (size_t i = 0; i < ELEMENTS(binaries); i++)
                if (binaries[i].token == type)
                        return &binaries[i];
        return NULL;
}

static bool orders(const Binary *b) {
        return b && b->precedence == PRECEDENCE_COMPARE &&
               b->operator!= OPERATOR_EQ && b->operator!= OPERATOR_NE;
}

/* What is read of one level of operators: places in the text and in the program. */
typedef struct Operands {
        const Binary *last; /* the operator before */
        size_t text, left, right;
        size_t left_op, right_op;
} Operands;

/* `80 < hr < 120`, at the second '<' */
static int refuse_chain(Parser *p, const Binary *b, const Operands *o) {
        size_t middle_end = p->end, at = p->token.offset;
        Type type;

        int r = parser_next(p);
        if (r < 0)
                return r;
        size_t right = p->token.offset;
        r = parser_operators(p, PRECEDENCE_COMPARE + 1, &type);
        if (r < 0)
                return r;
        (void) error_set(p->e, -EINVAL, "comparisons do not chain: write %.*s and %.*s %s %.*s",
                        (int) MIN(middle_end - o->left, (size_t) 120), p->text + o->left,
                        (int) MIN(middle_end - o->right, (size_t) 80), p->text + o->right, b->text,
                        (int) MIN(p->end - right, (size_t) 80), p->text + right);
        return parser_fail(p, at);
}

/* age(vital) next to a number: what it is compared with is when it has to be looked at again. */
static int note_age(Parser *p, const Operands *o) {
        Program *x = p->program;
        Op *left = &x->ops[o->left_op], *right = &x->ops[o->right_op];

        if (x->age == 0)
                return 0;
        if (o->right_op != o->left_op + 1 || x->count != o->right_op + 1)
                return 0;
        Op *age = left->code == OP_AGE ? left : right;
        const Op *number = left->code == OP_AGE ? right : left;
        if (age->code != OP_AGE || number->code != OP_NUMBER)
                return 0;
        double us = number->number * (double) USEC_PER_SEC;
        if (us < (double) AGE_MIN || us > (double) AGE_MAX) {
                (void) error_set(p->e, -EINVAL,
                                "age() is in seconds: expected a number from 1 to 604800 (7d)");
                return parser_fail(p, number == right ? o->right : o->left);
        }
        age->number = number->number;
        if (age == &x->ops[x->age_op]) /* else one before it is not compared */
                x->age = 0;
        return 0;
}

/* The operator at the next token and what is right of it. */
static int parse_binary(Parser *p, const Binary *b, Type *left, Operands *o) {
        Type right = TYPE_NUMBER;

        if (orders(b) && orders(o->last))
                return refuse_chain(p, b, o);
        int r = check_type(p, *left, b->operands, b->text, o->left);
        if (r < 0)
                return r;
        r = parser_next(p);
        if (r < 0)
                return r;
        o->right = p->token.offset;
        o->right_op = p->program->count;
        r = parser_operators(p, b->precedence + 1, &right);
        if (r < 0)
                return r;
        r = check_type(p, right, b->operands, b->text, o->right);
        if (r < 0)
                return r;
        if (b->precedence == PRECEDENCE_COMPARE) {
                r = note_age(p, o);
                if (r < 0)
                        return r;
        }
        *left = b->result;
        o->last = b;
        return emit_binary(p, b->operator);
}

int parser_operators(Parser *p, int precedence, Type *ret) {
        Operands o = { .left = p->token.offset, .left_op = p->program->count };
        Type left = TYPE_NUMBER;
        const Binary *b;

        if (p->depth == EXPRESSION_DEPTH_MAX) {
                (void) error_set(p->e, -EINVAL, "nested deeper than %d levels", EXPRESSION_DEPTH_MAX);
                return parser_fail(p, o.left);
        }
        p->depth++;
        int r = parse_operand(p, &left);
        while (r == 0 && (b = find_binary(p->token.type)) && b->precedence >= precedence)
                r = parse_binary(p, b, &left, &o);
        p->depth--;
        if (r == 0)
                *ret = left;
        return r;
}

/* --- the whole --- */

static int check_end(Parser *p) {
        if (p->token.type == TOKEN_END)
                return 0;
        if (p->token.type == TOKEN_NAME) {
                const char *near = token_nearest_keyword(p->token.text);
                if (near && !catalogue_find(p->words->catalogue, p->token.text)) {
                        (void) error_set(p->e, -EINVAL,
                                        "expected an operator or the end of the expression, found '%s': did "
                                        "you mean '%s'?",
                                        p->token.text, near);
                        return parser_fail(p, p->token.offset);
                }
        }
        return parser_expected(p, "an operator or the end of the expression");
}

/* What is across subjects has numbers and counts only, limits are the group's. */
static int check_across(Parser *p) {
        if (p->vital > 0) {
                (void) error_set(p->e, -EINVAL,
                                "a rule that counts subjects has no vital of its own: expected numbers and "
                                "limits outside of count(... by %s)",
                                p->by);
                return parser_fail(p, p->vital - 1);
        }
        for (Op *op = p->program->ops; op < p->program->ops + p->program->count; op++)
                if (op->code == OP_LIMIT)
                        op->code = OP_NUMBER;
        return 0;
}

static int check_whole(Parser *p, Type type) {
        if (type != TYPE_CONDITION && p->use == EXPRESSION_RULE) {
                (void) error_set(p->e, -EINVAL, "expected a condition such as spo2 < 90, found a number");
                return parser_fail(p, 0);
        }
        if (type == TYPE_CONDITION && p->use == EXPRESSION_SUMMARY) {
                (void) error_set(p->e, -EINVAL, "expected a number to show, found a condition");
                return parser_fail(p, 0);
        }
        if (p->program->age > 0 && p->use == EXPRESSION_RULE)
                return parser_fail_age(p, p->program->age - 1);
        if (p->count_count > 0)
                return check_across(p);
        if (!p->program->vital && p->use == EXPRESSION_RULE) {
                (void) error_set(p->e, -EINVAL, "names no vital: it would never be evaluated");
                return parser_fail(p, 0);
        }
        return 0;
}

static int parse_whole(Parser *p) {
        Type type = TYPE_NUMBER;

        int r = parser_next(p);
        if (r < 0)
                return r;
        r = parser_operators(p, PRECEDENCE_OR, &type);
        if (r < 0)
                return r;
        r = check_end(p);
        return r < 0 ? r : check_whole(p, type);
}

Expression *parser_copy(const Program *program, Expression *ret) {
        *ret = (Expression){ .count = program->count };
        ret->value = program->value > 0 ? program->value - 1 : program->count;
        ret->ops = malloc(program->count * sizeof *ret->ops);
        if (!ret->ops)
                return NULL;
        memcpy(ret->ops, program->ops, program->count * sizeof *ret->ops);
        return ret;
}

/* Takes the counts over. */
static int finish(Parser *p, Expression *ret) {
        Expression x;

        if (!parser_copy(p->program, &x))
                return -ENOMEM;
        if (p->count_count > 0) {
                x.counts = malloc(p->count_count * sizeof *x.counts);
                if (!x.counts) {
                        expression_done(&x);
                        return -ENOMEM;
                }
                memcpy(x.counts, p->counts, p->count_count * sizeof *x.counts);
                memcpy(x.by, p->by, sizeof x.by);
                x.count_count = p->count_count;
        }
        *ret = x;
        return 0;
}

int expression_parse(const char *text, ExpressionUse use, Vocabulary *words, Expression *ret,
                size_t *ret_offset, Error *e) {
        Program program = { .count = 0 };
        Parser p = {
                .text = text, .use = use, .words = words, .program = &program, .offset = ret_offset, .e = e
        };
        int r;

        if (strlen(text) > EXPRESSION_LENGTH_MAX) {
                (void) error_set(e, -EINVAL, "longer than %d characters", EXPRESSION_LENGTH_MAX);
                return parser_fail(&p, 0);
        }
        r = parse_whole(&p);
        if (r == 0) {
                r = finish(&p, ret);
                if (r == 0)
                        return 0;
                *ret_offset = 0;
                r = error_set(e, r, "out of memory");
        }
        for (size_t i = 0; i < p.count_count; i++)
                expression_done(&p.counts[i].condition);
        return r;
}

/* What questions ask for and which sentences offer it: "how many" wants a number, "by default" the word default. General
 * English of technical documentation, nothing of a product. Cues add to a score and never decide alone, so a pattern
 * that is wrong now and then does little harm.
 *
 * Measured and left out, since they moved nothing: cues for causes ("why"), versions, minima and identifiers. */
#include "answer/answer_internal.h"
#include <string.h>

#define AUXILIARIES "is|are|can|could|may|does|do|did|will|would|must|should|has|have|am|was|were"

static const char *const asks_number[] = {
    "how many|much|long|often|large|big|deep|fast|short|small|old|far|soon|high|low|dense|quick*|late|early",
    "number|amount|count|size|length|duration|percent*|ratio|threshold|limit|quota|minimum|maximum|max|min|upper|lower|default*"
    "|value",
    "at most|least", "what time|share|value", "after how", NULL};
static const char *const asks_time[] = {
    "how long|often|fast|soon|quick*|late|early", "how many|much time|days|hours|minutes|seconds",
    "retention|duration|runtime|timeout|interval|idle*", "run time", "what time", "when do|does|will|is|are", NULL};
static const char *const asks_default[] = {"default|defaults|unless", "if i|we|you dont", "if i|we|you do not", NULL};
static const char *const asks_maximum[] = {
    "max|maximum|limit|upper|largest|longest|biggest|quota", "at most", "up to",
    "how many|much|large|big|deep|long|dense|high ... may|can|could|allowed|fit", NULL};
static const char *const asks_yes_no[] = {"^ " AUXILIARIES, NULL};
static const char *const asks_yes_no_later[] = {
    ",|.|:|;|?|!|- [and|but|or is|are|can|could|may|does|do|will|must|should", "possible|allowed|supported|required ? $", NULL};
static const char *const asks_otherwise[] = {"^ how|what|which|when|where|who|why", NULL};
static const char *const asks_how[] = {
    "how do|can|to|does|should|would|ought|could", "how ?", "what do|must|should|can i|we", "what now", "step|steps",
    "^ turn|create|set|schedule|connect|import|change|add|run|use|enable|disable|delete|remove|install|update|configure|get|make"
    "|deploy|train|convert|send|share|stop|start", NULL};

static const struct {
    enum cue cue;
    const char *const *patterns;
} questions[] = {
    {CUE_NUMBER, asks_number}, {CUE_TIME, asks_time},     {CUE_DEFAULT, asks_default}, {CUE_MAXIMUM, asks_maximum},
    {CUE_YES_NO, asks_yes_no}, {CUE_HOW, asks_how},
};

static const char *const has_number[] = {"#|once|infinity|unlimited", NULL};
static const char *const has_time[] = {
    "#|few [- [business|calendar|working ms|milli*|s|sec|secs|second*|min|mins|minute|minutes|hour*|h|day*|week*|month*|year*", NULL};
static const char *const has_default[] = {"default*", NULL};
static const char *const has_maximum[] = {
    "maximum|max|limit|limits|limited|exceed|largest|within|top|quota", "up to", "at most", "no|more|less|fewer than", "under", NULL};
static const char *const denies[] = {"not|cannot|cant|dont|doesnt|isnt|arent|wont|only|unsupported|without", NULL};
static const char *const rules[] = {
    "not|cannot|cant|dont|doesnt|isnt|arent|wont|only|no|never|unsupported|must|support|supports|supported|can", NULL};
static const char *const instructs[] = {
    "^ to", "^ you can|must|need|should", "^ if you", "^ youll", "^ in the",
    "^ use|set|call|specify|choose|create|add|run|delete|open|select|update|configure|provide|enable|install|stop|shut|convert"
    "|make|send|include|change|import|attach|upload|define|navigate|sign|enter|pass", NULL};

static const struct {
    enum cue cue;
    const char *const *patterns;
    double value;
} offers[] = {
    {CUE_NUMBER, has_number, 1},   {CUE_TIME, has_time, 1},   {CUE_DEFAULT, has_default, 1}, {CUE_MAXIMUM, has_maximum, 1},
    {CUE_YES_NO, denies, 0.6},     {CUE_YES_NO, rules, 0.4},  {CUE_HOW, instructs, 1},
};

/* Sentences that send the reader on. */
static const char *const navigates[] = {
    "^ for more|additional|further|detailed|general|information|instructions|details|a|an ... see|refer|visit", "^ see",
    "^ to learn more|how|about",
    "^ the following topic*|section*|table|example|code|image|screenshot|diagram|procedure|list|are|shows",
    "^ topics $", "^ learn more", NULL};

static const char *const price_words[] = {
    "price|prices|pricing|dollar|dollars|fee|fees|usd", "hourly|monthly rate", "how much ... cost|costs", NULL};
static const char *const amounts[] = {"$|usd #", "€*|£*", "# usd|dollar|dollars|cent|cents|eur|euro|euros", NULL};

#define COUNT(table) (sizeof(table) / sizeof *(table))

unsigned answer_question_cues(const struct tokens *question) {
    unsigned cues = 0;
    for (size_t i = 0; i < COUNT(questions); i++)
        if (answer_find_any(question, questions[i].patterns))
            cues |= questions[i].cue;
    if (answer_find_any(question, asks_yes_no_later) && !answer_find_any(question, asks_otherwise))
        cues |= CUE_YES_NO;
    return cues;
}

double answer_cue_value(const struct tokens *unit, unsigned cues) {
    double sum = 0;
    for (size_t i = 0; i < COUNT(offers); i++)
        if ((cues & offers[i].cue) && answer_find_any(unit, offers[i].patterns))
            sum += offers[i].value;
    return sum;
}

bool answer_is_navigation(const struct tokens *unit) { return answer_find_any(unit, navigates); }
bool answer_asks_price(const struct tokens *question) { return answer_find_any(question, price_words); }
bool answer_names_amount(const struct tokens *text) { return answer_find_any(text, amounts); }
